/**
 * access-action - carries out the right-hand side of an access(5) table
 *
 * `OK`, `REJECT text`, `450 text`, `HOLD`, `FILTER transport:nexthop`, or a list of restrictions. What an entry
 * does to the message is kept in the transaction, and sent to cleanup(8) at its end.
 * Source: Postfix 3.7 access(5).
 */
import { splitList } from '@posthorn/config/split-list'
import { log } from '@posthorn/log/log'
import type { Evaluation, Subject } from './evaluation.ts'
import { replyText } from './reply-text.ts'
import {
  dunno,
  parseRestrictions,
  misconfigured,
  permit,
  refuse,
  type Check,
  type Verdict,
} from './restriction.ts'

export interface AccessSettings {
  /** access_map_reject_code, access_map_defer_code */
  readonly rejectCode: number
  readonly deferCode: number
  /** Makes checks of the words in a table entry. @throws {ConfigError} */
  compile: (restrictions: ReturnType<typeof parseRestrictions>) => Check[]
}

/** What only our own queue file can carry. */
const NEEDS_QUEUE = new Set(['BCC', 'DISCARD', 'FILTER', 'HOLD', 'REDIRECT'])

const DEFAULT_DETAIL = '5.7.1'

/** RFC 3463 3.2: x.1.N means something else for a sender than for a recipient; other subjects get x.0.0. */
export function adaptDetail(text: string, subject: Subject): string {
  const [, code = '', detail = '', rest = ''] = /^([45])\.1\.(\d+)([^]*)$/.exec(text) ?? []
  if (code === '') return text
  const maps: Partial<Record<Subject['className'], Record<string, string>>> = {
    'Sender address': { 1: '7', 2: '8', 3: '7', 4: '7', 5: '0', 6: '7' },
    'Recipient address': { 7: '3', 8: '2' },
  }
  const map = maps[subject.className]
  const adapted = map === undefined ? `${code}.0.0` : `${code}.1.${map[detail] ?? detail}`
  const before = `${code}.1.${detail}`
  if (adapted === before) return text
  log.info(`mapping DSN status ${before} into ${subject.className} status ${adapted}`)
  return `${adapted}${rest}`
}

/** Reply to REJECT, DEFER or a number; the entry may bring its own enhanced code. */
function refusalText(evaluation: Evaluation, subject: Subject, code: number, text: string): string {
  const given = adaptDetail(text, subject)
  const own = /^[245]\.\d{1,3}\.\d{1,3}(?=\s|$)/.exec(given)?.[0]
  const words = own === undefined ? given : given.slice(own.length).trimStart()
  return replyText(code, own ?? DEFAULT_DETAIL, evaluation.describe(words, subject))
}

function refusal(evaluation: Evaluation, subject: Subject, code: number, text: string): Verdict {
  return refuse(refusalText(evaluation, subject, code, text))
}

function deferral(evaluation: Evaluation, subject: Subject, text: string): string {
  const words = text === '' ? 'Service unavailable' : text
  return refusalText(evaluation, subject, 450, words)
}

/** A list of restrictions. With a table in it, lookups could ask for lookups without end: a class must do. */
function compileEntry(value: string, table: string, settings: AccessSettings): Check[] {
  const words = splitList(value)
  if (words.some((word) => /^\w+:/.test(word))) {
    return [
      () => {
        log.warning(`access table ${table} has entry with lookup table: ${value}`)
        log.warning('do not specify lookup tables inside SMTPD access maps')
        log.warning('define a restriction class and specify its name instead.')
        return misconfigured
      },
    ]
  }
  return settings.compile(parseRestrictions(words))
}

/** What the entry says is done; `table` and `subject` are for log lines and replies. */
export async function carryOut(
  evaluation: Evaluation,
  value: string,
  table: string,
  subject: Subject,
  settings: AccessSettings,
): Promise<Verdict> {
  const [, word = '', rest = ''] = /^\s*(\S+)\s*([^]*?)\s*$/.exec(value) ?? []
  const keyword = word.toUpperCase()
  if (NEEDS_QUEUE.has(keyword) && evaluation.session.host.settings.proxyFilter !== undefined) {
    log.warning(
      `access table ${table}: with smtpd_proxy_filter specified, action ${keyword} is unavailable`,
    )
    return dunno
  }
  const actions = evaluation.session.transaction?.actions
  const show = (action: string, text: string): void => {
    evaluation.session.logAction(action, `<${subject.name}>: ${subject.className} ${text}`)
  }
  switch (keyword) {
    case '':
      log.warning(`access table ${table} entry  has empty value`)
      return dunno
    case 'DUNNO':
      return dunno
    case 'OK':
      return permit('OK', subject, `from ${table}`)
    case 'REJECT':
      return refusal(evaluation, subject, settings.rejectCode, rest === '' ? 'Access denied' : rest)
    case 'DEFER':
      return refusal(evaluation, subject, settings.deferCode, rest === '' ? 'Access denied' : rest)
    case 'DEFER_IF_PERMIT':
      evaluation.deferPermission(deferral(evaluation, subject, rest))
      return dunno
    case 'DEFER_IF_REJECT':
      evaluation.deferIfReject ??= deferral(evaluation, subject, rest)
      return dunno
    case 'HOLD':
      show('hold', rest === '' ? 'triggers HOLD action' : rest)
      if (actions !== undefined) actions.isHeld = true
      return dunno
    case 'DISCARD':
      show('discard', rest === '' ? 'triggers DISCARD action' : rest)
      if (actions !== undefined) actions.isDiscarded = true
      return permit('DISCARD', subject, `from ${table}`)
    case 'FILTER':
      if (!rest.includes(':')) {
        log.warning(`access table ${table} entry "${subject.name}" requires transport:destination`)
        return dunno
      }
      show('filter', `triggers FILTER ${rest}`)
      if (actions !== undefined) actions.filter = rest
      return dunno
    case 'REDIRECT':
      if (!rest.includes('@')) {
        log.warning(`access table ${table} entry "${subject.name}" requires user@domain target`)
        return dunno
      }
      show('redirect', `triggers REDIRECT ${rest}`)
      if (actions !== undefined) actions.redirect = rest
      return dunno
    case 'BCC':
      if (!rest.includes('@')) {
        log.warning(`access table ${table} entry "${subject.name}" requires user@domain target`)
        return dunno
      }
      show('bcc', `triggers BCC ${rest}`)
      actions?.bcc.push(rest)
      return dunno
    case 'PREPEND':
      if (!/^[!-9;-~]+:/.test(rest)) {
        log.warning(`access table ${table} entry "${subject.name}" requires header: text`)
        return dunno
      }
      actions?.prepended.push(rest)
      return dunno
    case 'INFO':
    case 'WARN':
      evaluation.session.logAction(keyword.toLowerCase(), rest)
      return dunno
    default:
      // a number alone is what other programs (pop-before-smtp) write for OK
      if (/^\d+$/.test(value.trim())) return permit('OK', subject, `from ${table}`)
      if (/^[45]\d\d$/.test(word)) return refusal(evaluation, subject, Number(word), rest)
      return evaluation.apply(compileEntry(value, table, settings))
  }
}
