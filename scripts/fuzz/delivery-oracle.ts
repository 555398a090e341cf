/**
 * delivery-oracle - what must be true of a delivery, whatever the server does
 *
 * Judges by what both sides wrote (conversation-reader) and by what the client reported: log, records, queue file. A recipient is
 *
 *     sent          only with a yes to MAIL, to its RCPT and to the whole text that arrived unchanged
 *     deliverable   (a probe) only with a yes to MAIL and to its RCPT
 *     bounced       only because of something that the server said, or of what it said that it can
 *     one fate      at most, and one when no other server follows
 */
import { isPositive, type ConversationReader, type Exchange } from './conversation-reader.ts'

export interface Reported {
  readonly sender: string
  readonly recipients: readonly string[]
  /** As the server is to have it. */
  readonly content: string
  readonly log: readonly string[]
  /** Of bounce(8) and others. */
  readonly records: readonly string[]
  /** Of `recipients`: marked as done in the queue file. */
  readonly marks: readonly boolean[]
  /** Still to be tried elsewhere. */
  readonly left: readonly string[]
  /** Nobody may be left. */
  readonly isFinal: boolean
}

export interface Seen {
  readonly reader: ConversationReader
  readonly isLmtp: boolean
}

interface Fate {
  readonly status: string
  readonly dsn: string
}

const STATUS_LINE =
  /^[0-9A-F]+: to=<([^>]*)>, relay=[^,]*(?:, conn_use=\d+)?, delay=[\d.]+, delays=[\d./]+(?:, tls=[^,]*)?, dsn=([\d.]+), status=([\w-]+) \(/
/** Decisions of our own, made of what the server said that it can or is. */
const OWN_BOUNCES = new Set(['5.3.4', '5.4.6', '5.6.7'])
const MARKED = new Set(['sent', 'bounced', 'deliverable', 'undeliverable'])
/** Octets of a log line, with the word for its severity. */
const LINE_LIMIT = 2020
/** Of a text in a record: a reply has line_length_limit octets and one more line, and there are some words around it. */
const RECORD_LIMIT = 2 * 2048 + 300
const utf8 = new TextDecoder('utf-8', { fatal: true })

export function judge(seen: Seen, reported: Reported): string[] {
  const findings: string[] = []
  const fates = new Map<string, Fate[]>()
  for (const line of reported.log) {
    const [, recipient, dsn = '', status = ''] = STATUS_LINE.exec(line) ?? []
    if (recipient === undefined) continue
    fates.set(recipient, [...(fates.get(recipient) ?? []), { status, dsn }])
  }
  for (const [at, recipient] of reported.recipients.entries()) {
    const [fate, ...more] = fates.get(recipient) ?? []
    const isLeft = reported.left.includes(recipient)
    if (more.length > 0) findings.push(`${recipient} has more than one fate`)
    if (fate === undefined ? !isLeft : isLeft) findings.push(`${recipient} is lost, or done twice`)
    if (isLeft && reported.isFinal) findings.push(`${recipient} has no fate`)
    const isDone = fate !== undefined && MARKED.has(fate.status)
    if ((reported.marks[at] ?? false) !== isDone) findings.push(`${recipient} is marked wrongly`)
    if (fate?.status === 'sent' && !hasTaken(seen, reported, recipient)) {
      findings.push(`${recipient} is reported as sent, and the server has not said so`)
    }
    if (fate?.status === 'deliverable' && !isAccepted(seen, recipient)) {
      findings.push(`${recipient} is deliverable, and the server has not said so`)
    }
    if (fate?.status === 'bounced' && !OWN_BOUNCES.has(fate.dsn) && !hasRefusal(seen.reader)) {
      findings.push(`${recipient} bounced, and the server has not refused anything`)
    }
  }
  // of several lines of a reply bounce(8) makes one, as it must of what Postfix's smtp(8) says after AUTH
  const records = reported.records.map((text) => text.replaceAll('\n', ' '))
  for (const text of [...reported.log, ...records]) {
    if (!isPrintable(text)) findings.push(`unprintable: ${JSON.stringify(text)}`)
  }
  const tooLong =
    reported.log.find((text) => text.length > LINE_LIMIT) ??
    reported.records.find((text) => text.length > RECORD_LIMIT)
  if (tooLong !== undefined) findings.push(`a text of ${tooLong.length} octets`)
  return findings
}

/** What the client said, whatever it was told. */
export function judgeManners({ reader }: Seen): string[] {
  const findings: string[] = []
  const { exchanges } = reader
  for (const [at, { kind, line, content }] of exchanges.entries()) {
    if (kind !== 'text' && /[\0-\x1f\x7f]/.test(line))
      findings.push(`a command with ${JSON.stringify(line)}`)
    if (line === 'QUIT' && at < exchanges.length - 1) findings.push('a command after QUIT')
    if (kind !== 'text' && kind !== 'chunk') continue
    if (content !== '' && acceptedBefore(exchanges, at).length === 0)
      findings.push('a text for nobody')
  }
  return findings
}

/** RCPT exchanges that were accepted in the transaction of the exchange at this place. */
function acceptedBefore(exchanges: readonly Exchange[], at: number): Exchange[] {
  const mail = exchanges.findLastIndex(({ line }, place) => place < at && /^MAIL FROM:/i.test(line))
  if (mail < 0 || !isPositive(exchanges[mail]?.codes[0])) return []
  const after = exchanges.slice(mail + 1, at)
  if (after.some(({ line, kind }) => /^RSET/i.test(line) || kind === 'text')) return []
  return after.filter(({ line, codes }) => /^RCPT TO:/i.test(line) && isPositive(codes[0]))
}

function isAccepted({ reader }: Seen, recipient: string): boolean {
  const { exchanges } = reader
  const rcpt = exchanges.findIndex(({ line }) => line.startsWith(`RCPT TO:<${recipient}>`))
  const mail = exchanges.findLast(({ line }, at) => at < rcpt && /^MAIL FROM:/i.test(line))
  return isPositive(mail?.codes[0]) && isPositive(exchanges[rcpt]?.codes[0])
}

function hasTaken(seen: Seen, { content, recipients }: Reported, recipient: string): boolean {
  const { exchanges } = seen.reader
  const rcpt = exchanges.findIndex(({ line }) => line.startsWith(`RCPT TO:<${recipient}>`))
  if (rcpt < 0) return false
  const end = exchanges.findIndex(
    ({ kind, line }, at) => at > rcpt && (kind === 'text' || line.endsWith(' LAST')),
  )
  const accepted = acceptedBefore(exchanges, end < 0 ? exchanges.length : end)
  const place = accepted.findIndex(({ line }) => line.startsWith(`RCPT TO:<${recipient}>`))
  if (place < 0 || accepted.length > recipients.length) return false
  const reply = seen.isLmtp ? place : 0
  if (end < 0) return false
  const chunks = exchanges
    .slice(rcpt, end + 1)
    .filter(({ kind }) => kind === 'text' || kind === 'chunk')
  if (chunks.map((chunk) => chunk.content).join('') !== content) return false
  return (
    isPositive(exchanges[end]?.codes[reply]) &&
    chunks.slice(0, -1).every(({ codes }) => isPositive(codes[0]))
  )
}

/** Something in it that is neither a yes, nor "later", nor what belongs there. */
function hasRefusal({ exchanges, surplus }: ConversationReader): boolean {
  const isRefusal = (code: number, line: string): boolean => {
    const hundreds = Math.floor(code / 100)
    if (hundreds === 3) return !/^(?:DATA|AUTH)/i.test(line)
    return hundreds === 2 ? /^DATA/i.test(line) : hundreds !== 4
  }
  // what nobody has asked for is taken for the reply to what comes next, be that a yes in the wrong place
  return (
    surplus.length > 0 ||
    exchanges.some(({ codes, line }) => codes.some((code) => isRefusal(code, line)))
  )
}

function isPrintable(text: string): boolean {
  if (/[\0-\x1f\x7f]/.test(text)) return false
  if (!/[\x80-\xff]/.test(text)) return true
  try {
    utf8.decode(Buffer.from(text, 'latin1'))
    return true
  } catch {
    return false
  }
}
