/**
 * mail-parameters - the ESMTP parameters of MAIL FROM
 *
 * SIZE= (RFC 1870), BODY= (RFC 6152), RET= and ENVID= (RFC 3461), SMTPUTF8 (RFC 6531), XVERP (VERP_README of Postfix),
 * AUTH= (RFC 4954; taken and forgotten, for nobody is authenticated here).
 */
import type { SmtpdSettings } from './smtpd-settings.ts'
import type { MailParameters } from './transaction.ts'
import { decodeXtext } from './xtext.ts'

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
const BAD_RET = '501 5.5.4 Bad RET parameter syntax'
const BAD_ENVID = '501 5.5.4 Bad ENVID parameter syntax'

/** What this client may ask for. */
export interface MailPermissions {
  /** smtpd_authorized_verp_clients */
  readonly mayVerp: boolean
  readonly discardedKeywords: ReadonlySet<string>
}

/** @throws {ParameterError} */
export function parseMailParameters(
  words: readonly string[],
  settings: SmtpdSettings,
  permissions: MailPermissions,
): MailParameters {
  const parameters = {
    sizeOctets: 0,
    encoding: '' as MailParameters['encoding'],
    returnFlags: 0 as MailParameters['returnFlags'],
    envelopeId: '',
    isSmtpUtf8: false,
    verp: '',
  }
  const isDsnOff = permissions.discardedKeywords.has('DSN')
  for (const word of words) {
    const { name, value } = splitParameter(word)
    const kind = value === undefined ? name : `${name}=`
    switch (kind) {
      case 'SIZE=':
        parameters.sizeOctets = parseSize(value)
        break
      case 'BODY=':
        parameters.encoding = parseBody(word, value)
        break
      case 'SMTPUTF8':
        if (!settings.isUtf8Enabled) throw unsupported(word)
        parameters.isSmtpUtf8 = true
        break
      case 'AUTH=':
        break
      case 'RET=':
        if (isDsnOff) throw new ParameterError(DSN_DISABLED)
        if (parameters.returnFlags !== 0) throw new ParameterError(BAD_RET)
        parameters.returnFlags = parseReturn(value)
        break
      case 'ENVID=':
        if (isDsnOff) throw new ParameterError(DSN_DISABLED)
        if (parameters.envelopeId !== '') throw new ParameterError(BAD_ENVID)
        parameters.envelopeId = parseEnvelopeId(value)
        break
      case 'XVERP':
        if (!permissions.mayVerp) throw unsupported(word)
        parameters.verp = settings.verpDelimiters
        break
      case 'XVERP=':
        if (!permissions.mayVerp) throw unsupported(word)
        parameters.verp = parseVerp(value, settings)
        break
      default:
        throw unsupported(word)
    }
  }
  return parameters
}

/** `NAME=value` or `NAME`; the name in upper case. */
export function splitParameter(word: string): { name: string; value: string | undefined } {
  const equals = word.indexOf('=')
  return equals < 0
    ? { name: word.toUpperCase(), value: undefined }
    : { name: word.slice(0, equals).toUpperCase(), value: word.slice(equals + 1) }
}

export function unsupported(word: string): ParameterError {
  return new ParameterError(`555 5.5.4 Unsupported option: ${word}`)
}

/** Beyond it, the size does not fit into a file's size. */
const LARGEST_FILE = 2n ** 63n - 1n

function parseSize(value = ''): number {
  if (!/^\d+$/.test(value)) throw new ParameterError('501 5.5.4 Bad message size syntax')
  if (value.length > 18 && BigInt(value) > LARGEST_FILE) {
    throw new ParameterError('552 5.3.4 Message size exceeds file system imposed limit')
  }
  return Number(value)
}

function parseBody(word: string, value = ''): '7bit' | '8bit' {
  const body = value.toUpperCase()
  if (body === '7BIT') return '7bit'
  if (body === '8BITMIME') return '8bit'
  throw unsupported(word)
}

function parseReturn(value = ''): 1 | 2 {
  const wanted = value.toUpperCase()
  if (wanted === 'FULL') return 1
  if (wanted === 'HDRS') return 2
  throw new ParameterError(BAD_RET)
}

function parseEnvelopeId(value = ''): string {
  const id = decodeXtext(value)
  if (id === undefined || !/^[ -~]+$/.test(id)) throw new ParameterError(BAD_ENVID)
  return id
}

/** VERP_README: two characters of verp_delimiter_filter. */
function parseVerp(value = '', { verpFilter }: SmtpdSettings): string {
  const isGood =
    value.length === 2 &&
    verpFilter.includes(value.charAt(0)) &&
    verpFilter.includes(value.charAt(1))
  if (isGood) return value
  throw new ParameterError(`501 5.5.4 Error: XVERP needs two characters from ${verpFilter}`)
}
