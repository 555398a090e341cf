/**
 * recipient-parameters - the ESMTP parameters of RCPT TO: NOTIFY= and ORCPT= (RFC 3461 4.1, 4.2)
 */
import { log } from '@posthorn/log/log'
import { DSN_DISABLED, ParameterError, unsupported } from './mail-parameters.ts'
import type { SmtpdSettings } from './smtpd-settings.ts'
import { decodeXtext, isPrintableText } from './xtext.ts'

export interface RecipientParameters {
  /** Bits: 1 never, 2 success, 4 failure, 8 delay; 0 = not given. */
  readonly notify: number
  /** `type;address`, decoded; '' = not given. */
  readonly originalRecipient: string
}

const NOTIFY = new Map([
  ['NEVER', 1],
  ['SUCCESS', 2],
  ['FAILURE', 4],
  ['DELAY', 8],
])

/** @throws {ParameterError} */
export function parseRecipientParameters(
  words: readonly string[],
  settings: SmtpdSettings,
): RecipientParameters {
  let notify = 0
  let originalRecipient = ''
  const isDsnOff = settings.discardedKeywords.has('DSN')
  for (const word of words) {
    const [, name = '', value] = /^([^=]*)(?:=([^]*))?$/.exec(word) ?? []
    const upper = name.toUpperCase()
    if ((upper !== 'NOTIFY' && upper !== 'ORCPT') || value === undefined) throw unsupported(word)
    if (isDsnOff) throw new ParameterError(DSN_DISABLED)
    if (upper === 'NOTIFY') notify = parseNotify(value)
    else originalRecipient = parseOriginalRecipient(value)
  }
  return { notify, originalRecipient }
}

function parseNotify(value: string): number {
  let notify = 0
  for (const word of value.split(',')) {
    const bit = NOTIFY.get(word.toUpperCase())
    if (bit === undefined) {
      log.warning(`unknown DSN NOTIFY command value "${word}" in "${value}"`)
      throw new ParameterError('501 5.5.4 Error: Bad NOTIFY parameter syntax')
    }
    notify |= bit
  }
  // RFC 3461 4.1: NEVER stands alone
  if ((notify & 1) !== 0 && notify !== 1) {
    throw new ParameterError('501 5.5.4 Error: Bad NOTIFY parameter syntax')
  }
  return notify
}

/** RFC 3461 4.2: `type;xtext`. For utf-8 (RFC 6533 3) the address is stored as it came. */
function parseOriginalRecipient(value: string): string {
  const semicolon = value.indexOf(';')
  const type = value.slice(0, semicolon)
  const coded = value.slice(semicolon + 1)
  const address = /^utf-8$/i.test(type) ? coded : decodeXtext(coded)
  if (
    semicolon < 1 ||
    !/^[A-Za-z0-9-]+$/.test(type) ||
    address === undefined ||
    !isPrintableText(address)
  ) {
    throw new ParameterError('501 5.5.4 Error: Bad ORCPT parameter syntax')
  }
  return `${type};${address}`
}
