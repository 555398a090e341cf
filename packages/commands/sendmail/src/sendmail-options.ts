/**
 * sendmail-options - the command line that programs have used since the first sendmail
 *
 * What Postfix does differently from Sendmail by design is accepted and ignored: -A -G -L -U -X, most of -O and -o, and so on.
 * What would do something else than the caller expects is refused.
 *
 * Source: Postfix 3.7 sendmail(1); -O requiretls: Postfix 3.11.
 */
import { parseOptions, type GivenOption } from '@posthorn/config/getopt'
import { NOTIFY_FLAGS, RETURN_FLAGS } from '@posthorn/wire/attr-groups'

/** The command line asks for what cannot be done; the text is for the user. */
export class SendmailUsageError extends SyntaxError {
  readonly code = 'POSTHORN_SENDMAIL_USAGE'
}

export type SendmailMode =
  /** Read a message and submit it. */
  | { readonly kind: 'submit' }
  /** Submit a probe: -bv. */
  | { readonly kind: 'verify' }
  | { readonly kind: 'listQueue' }
  | { readonly kind: 'flushQueue' }
  | { readonly kind: 'flushSite'; readonly site: string }
  | { readonly kind: 'flushMessage'; readonly id: string }
  | { readonly kind: 'aliases' }
  | { readonly kind: 'daemon' }
  | { readonly kind: 'smtp' }
  /** -bh, -bH, -q15m: nothing to do. */
  | { readonly kind: 'nothing' }

export interface SendmailOptions {
  mode: SendmailMode
  /** -C: directory of main.cf, or main.cf itself. */
  configPath: string | undefined
  /** -f, -r; undefined: the user. */
  sender: string | undefined
  fullName: string | undefined
  recipients: readonly string[]
  /** -t */
  takesHeaderRecipients: boolean
  /** -i: a line with one dot is text. */
  ignoresDots: boolean
  /** -G: mail of others, passing through. */
  isGateway: boolean
  encoding: '7bit' | '8bit' | undefined
  /** NOTIFY_FLAGS; 0 = not given. */
  notifyFlags: number
  returnFlags: number
  envelopeId: string | undefined
  /** -O requiretls=yes (RFC 8689). */
  requiresTls: boolean
  /** -XV: empty for the default delimiters. */
  verp: string | undefined
  /** How often -v was given: once asks for a report, more often for verbose logging. */
  verbosity: number
  /** -oA: another alias database. */
  aliases: string | undefined
  /** For the log and the user. */
  warnings: string[]
}

const LETTERS = 'A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx'

/**
 * @param program the name that we were called by: mailq and newaliases are modes
 * @throws {OptionError | SendmailUsageError}
 */
export function parseSendmailOptions(program: string, argv: readonly string[]): SendmailOptions {
  const words = argv.map((word, at) => closeQueueOption(closeVerpOption(word, argv[at + 1])))
  const { options, operands } = parseOptions(words, LETTERS)
  const given: SendmailOptions = {
    mode: modeOfName(program),
    configPath: undefined,
    sender: undefined,
    fullName: undefined,
    recipients: operands,
    takesHeaderRecipients: false,
    ignoresDots: false,
    isGateway: false,
    encoding: undefined,
    notifyFlags: 0,
    returnFlags: 0,
    envelopeId: undefined,
    requiresTls: false,
    verp: undefined,
    verbosity: 0,
    aliases: undefined,
    warnings: [],
  }
  for (const option of options) apply(given, option)
  check(given)
  return given
}

/** `-q` has a value only in the same word: alone it flushes the queue, and the next word is no part of it. */
function closeQueueOption(word: string): string {
  return word === '-q' ? '-q ' : word
}

const OLD_VERP = '-XV\0'

/** Before DSN, `-V` was VERP: a word of two characters behind it was the next word, now it would be the envelope id. */
function closeVerpOption(word: string, next: string | undefined): string {
  return word === '-V' && next?.length === 2 ? OLD_VERP : word
}

function modeOfName(program: string): SendmailMode {
  if (program === 'mailq') return { kind: 'listQueue' }
  if (program === 'newaliases') return { kind: 'aliases' }
  return { kind: 'submit' }
}

function apply(given: SendmailOptions, { letter, value }: GivenOption): void {
  switch (letter) {
    case 'n':
      throw new SendmailUsageError('-n option not supported')
    case 'B':
      given.encoding = parseBodyType(value)
      return
    case 'C':
      given.configPath = value
      return
    case 'F':
      given.fullName = value
      return
    case 'f':
    case 'r':
      given.sender = value
      return
    case 'G':
      given.isGateway = true
      return
    case 'I':
      given.mode = { kind: 'aliases' }
      return
    case 'N':
      given.notifyFlags = parseNotify(value, given.warnings)
      return
    case 'O':
      applyLongOption(given, value)
      return
    case 'R':
      given.returnFlags = parseReturn(value, given.warnings)
      return
    case 'V':
      if (value.length === 2) given.verp = oldVerp(value, given.warnings)
      else given.envelopeId = parseEnvelopeId(value, given.warnings)
      return
    case 'X':
      if (!value.startsWith('V')) throw new SendmailUsageError(`unsupported: -X${value.charAt(0)}`)
      given.verp = value === OLD_VERP.slice(2) ? oldVerp('', given.warnings) : value.slice(1)
      return
    case 'b':
      given.mode = parseMode(value)
      return
    case 'i':
      given.ignoresDots = true
      return
    case 'o':
      applyOption(given, value)
      return
    case 'q':
      given.mode = parseQueueMode(value)
      return
    case 't':
      given.takesHeaderRecipients = true
      return
    case 'v':
      given.verbosity++
      return
    default: // -A -c -e -h -L -m -p -U -x
  }
}

function parseBodyType(value: string): '7bit' | '8bit' {
  if (value === '8BITMIME') return '8bit'
  if (value === '7BIT') return '7bit'
  throw new SendmailUsageError('-B option needs 8BITMIME or 7BIT')
}

const NOTIFY_WORDS: Readonly<Record<string, number>> = {
  never: NOTIFY_FLAGS.never,
  success: NOTIFY_FLAGS.success,
  failure: NOTIFY_FLAGS.failure,
  delay: NOTIFY_FLAGS.delay,
}

function parseNotify(value: string, warnings: string[]): number {
  let flags = 0
  for (const word of value.split(/[\s,]+/).filter((part) => part !== '')) {
    const flag = NOTIFY_WORDS[word.toLowerCase()]
    if (flag === undefined) {
      warnings.push(`unknown DSN NOTIFY command value "${word}" in "${value}"`)
      flags = 0
      break
    }
    flags |= flag
  }
  // NEVER excludes the others (RFC 3461 4.1).
  const isMixed = (flags & NOTIFY_FLAGS.never) !== 0 && flags !== NOTIFY_FLAGS.never
  if (flags !== 0 && !isMixed) return flags
  warnings.push('bad -N option value -- ignored')
  return 0
}

function parseReturn(value: string, warnings: string[]): number {
  const word = value.toLowerCase()
  if (word === 'full') return RETURN_FLAGS.full
  if (word === 'hdrs') return RETURN_FLAGS.headers
  warnings.push('bad -R option value -- ignored')
  return 0
}

function oldVerp(value: string, warnings: string[]): string {
  warnings.push(`option -V${value} is deprecated with Postfix 2.3; specify -XV${value} instead`)
  return value
}

function parseEnvelopeId(value: string, warnings: string[]): string | undefined {
  if (/^[\x20-\x7e]+$/.test(value)) return value
  warnings.push('bad syntax in -V option value -- ignored')
  return undefined
}

function parseMode(value: string): SendmailMode {
  switch (value.charAt(0)) {
    case 'm':
      return { kind: 'submit' }
    case 'v':
      return { kind: 'verify' }
    case 'p':
      return { kind: 'listQueue' }
    case 'i':
      return { kind: 'aliases' }
    case 'd':
    case 'l':
      return { kind: 'daemon' }
    case 's':
      return { kind: 'smtp' }
    case 'h':
    case 'H':
      return { kind: 'nothing' }
    default:
      throw new SendmailUsageError(`unsupported: -b${value.charAt(0)}`)
  }
}

function parseQueueMode(value: string): SendmailMode {
  switch (value.charAt(0)) {
    case 'I':
      if (value.length === 1) throw new SendmailUsageError('specify: -qIqueueid')
      return { kind: 'flushMessage', id: value.slice(1) }
    case 'R':
      if (value.length === 1) throw new SendmailUsageError('specify: -qRsitename')
      return { kind: 'flushSite', site: value.slice(1) }
    case ' ': // closeQueueOption()
      return { kind: 'flushQueue' }
    default:
      // An interval is the queue manager's business.
      if (/^\d/.test(value)) return { kind: 'nothing' }
      throw new SendmailUsageError(`-q${value.charAt(0)} is not implemented`)
  }
}

function applyOption(given: SendmailOptions, value: string): void {
  if (value === 'i') given.ignoresDots = true
  else if (value.startsWith('A')) {
    if (value.length === 1) throw new SendmailUsageError('-oA requires pathname')
    given.aliases = value.slice(1)
  }
}

/** What Sendmail knows besides is ignored. */
function applyLongOption(given: SendmailOptions, value: string): void {
  const [, word] = /^\s*requiretls\s*=\s*(.*?)\s*$/i.exec(value) ?? []
  if (word === undefined) return
  if (word !== 'yes' && word !== 'no') {
    throw new SendmailUsageError('-O requiretls needs yes or no')
  }
  given.requiresTls = word === 'yes'
}

function check(given: SendmailOptions): void {
  const { mode, recipients, takesHeaderRecipients } = given
  switch (mode.kind) {
    case 'flushQueue':
    case 'flushSite':
    case 'flushMessage':
      if (recipients.length > 0) {
        throw new SendmailUsageError('flush queue mode requires no recipient')
      }
      return
    case 'aliases':
      if (recipients.length > 0) {
        throw new SendmailUsageError('alias initialization mode requires no recipient')
      }
      return
    case 'listQueue':
      if (recipients.length > 0) {
        throw new SendmailUsageError('display queue mode requires no recipient')
      }
      return
    case 'verify':
      if (takesHeaderRecipients) throw new SendmailUsageError('-t option cannot be used with -bv')
      return
    default:
  }
}
