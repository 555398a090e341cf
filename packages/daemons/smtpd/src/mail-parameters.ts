/**
 * mail-parameters - the ESMTP parameters of MAIL FROM
 *
 * SIZE= (RFC 1870), BODY= (RFC 6152), RET= and ENVID= (RFC 3461), SMTPUTF8 (RFC 6531), AUTH= (RFC 4954, the
 * null identity only: nobody is authenticated here).
 */
import type { SmtpdSettings } from './smtpd-settings.ts'
import type { MailParameters } from './transaction.ts'
import { decodeXtext, isPrintableText } from './xtext.ts'

/** Says what to reply to a parameter that cannot be accepted. */
export class ParameterError extends SyntaxError {
  readonly code = 'POSTHORN_SMTP_PARAMETER'
  readonly reply: string

  constructor(reply: string) {
    super(reply)
    this.reply = reply
  }
}

export const DSN_DISABLED = '501 5.7.1 DSN support is disabled'

/** @throws {ParameterError} */
export function parseMailParameters(
  words: readonly string[],
  settings: SmtpdSettings,
): MailParameters {
  const parameters = {
    sizeOctets: 0,
    encoding: '' as MailParameters['encoding'],
    returnFlags: 0 as MailParameters['returnFlags'],
    envelopeId: '',
    isSmtpUtf8: false,
    verp: '',
  }
  const isDsnOff = settings.discardedKeywords.has('DSN')
  for (const word of words) {
    const [, name = '', value] = /^([^=]*)(?:=([^]*))?$/.exec(word) ?? []
    switch (name.toUpperCase()) {
      case 'SIZE':
        parameters.sizeOctets = parseSize(value)
        break
      case 'BODY':
        parameters.encoding = parseBody(word, value)
        break
      case 'SMTPUTF8':
        if (value !== undefined || !settings.isUtf8Enabled) throw unsupported(word)
        parameters.isSmtpUtf8 = true
        break
      case 'AUTH':
        break
      case 'RET':
        if (isDsnOff) throw new ParameterError(DSN_DISABLED)
        parameters.returnFlags = parseReturn(value)
        break
      case 'ENVID':
        if (isDsnOff) throw new ParameterError(DSN_DISABLED)
        parameters.envelopeId = parseEnvelopeId(value)
        break
      default:
        throw unsupported(word)
    }
  }
  return parameters
}

export function unsupported(word: string): ParameterError {
  return new ParameterError(`555 5.5.4 Unsupported option: ${word}`)
}

function parseSize(value: string | undefined): number {
  // RFC 1870 3: at most 20 digits; a number beyond what we count exactly is beyond every limit
  if (value === undefined || !/^\d{1,20}$/.test(value)) {
    throw new ParameterError('501 5.5.4 Bad message size syntax')
  }
  return Number(value)
}

function parseBody(word: string, value: string | undefined): '7bit' | '8bit' {
  const body = value?.toUpperCase()
  if (body === '7BIT') return '7bit'
  if (body === '8BITMIME') return '8bit'
  throw unsupported(word)
}

function parseReturn(value: string | undefined): 1 | 2 {
  const wanted = value?.toUpperCase()
  if (wanted === 'FULL') return 1
  if (wanted === 'HDRS') return 2
  throw new ParameterError('501 5.5.4 Bad RET parameter syntax')
}

function parseEnvelopeId(value: string | undefined): string {
  const id = value === undefined ? undefined : decodeXtext(value)
  if (id === undefined || !isPrintableText(id)) {
    throw new ParameterError('501 5.5.4 Bad ENVID parameter syntax')
  }
  return id
}
