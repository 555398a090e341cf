/**
 * recipient-parameters - the ESMTP parameters of RCPT TO: NOTIFY= and ORCPT= (RFC 3461 4.1, 4.2)
 */
import { log } from '@posthorn/log/log'
import { printable } from '@posthorn/log/printable'
import { DSN_DISABLED, ParameterError, splitParameter, unsupported } from './mail-parameters.ts'
import { decodeUnitext, decodeXtext } from './xtext.ts'

const BAD_NOTIFY = '501 5.5.4 Error: Bad NOTIFY parameter syntax'
const BAD_ORCPT = '501 5.5.4 Error: Bad ORCPT parameter syntax'

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
  discardedKeywords: ReadonlySet<string>,
): RecipientParameters {
  let notify = 0
  let originalRecipient = ''
  const isDsnOff = discardedKeywords.has('DSN')
  for (const word of words) {
    const { name, value } = splitParameter(word)
    if ((name !== 'NOTIFY' && name !== 'ORCPT') || value === undefined) throw unsupported(word)
    if (isDsnOff) throw new ParameterError(DSN_DISABLED)
    if (name === 'NOTIFY') {
      if (notify !== 0) throw new ParameterError(BAD_NOTIFY)
      notify = parseNotify(value)
    } else {
      if (originalRecipient !== '') throw new ParameterError(BAD_ORCPT)
      originalRecipient = parseOriginalRecipient(value)
    }
  }
  return { notify, originalRecipient }
}

function parseNotify(value: string): number {
  let notify = 0
  for (const word of value.split(',')) {
    if (word === '') continue
    const bit = NOTIFY.get(word.toUpperCase())
    if (bit === undefined) {
      log.warning(`unknown DSN NOTIFY command value "${word}" in "${value}"`)
      throw new ParameterError(BAD_NOTIFY)
    }
    notify |= bit
  }
  // RFC 3461 4.1: NEVER stands alone
  if (notify === 0 || ((notify & 1) !== 0 && notify !== 1)) throw new ParameterError(BAD_NOTIFY)
  return notify
}

/** RFC 3461 4.2: `type;xtext`; RFC 6533 3: `utf-8;` and text with `\x{20AC}` in it. No control character gets through. */
function parseOriginalRecipient(value: string): string {
  const semicolon = value.indexOf(';')
  const type = value.slice(0, semicolon)
  const coded = value.slice(semicolon + 1)
  const address = /^utf-8$/i.test(type) ? decodeUnitext(coded) : decodeXtext(coded)
  if (semicolon < 1 || address === undefined) throw new ParameterError(BAD_ORCPT)
  return `${type};${printable(address)}`
}
