/**
 * reply-parser - reads one reply of the server, however many lines it has
 *
 *   250-first line
 *   250 last line
 *
 * Lenient as Postfix is: CRs before LF and bare LF are taken, a line that is no reply is kept as text and marks the
 * reply as garbage. The code and the enhanced status code are those of the last line.
 * Limits: lineLimit octets of a line are kept, and lines until there are so many octets; the rest is read, dropped and warned about, up
 * to 1 MB: a server that talks on is one that we have lost.
 * Sources: RFC 5321 4.2, RFC 2034; Postfix 3.7.
 */
import { log } from '@posthorn/log/log'
import { printable } from '@posthorn/log/printable'
import { EndOfStreamError, type ByteStream } from '@posthorn/stream/byte-stream'

export interface Reply {
  code: number
  /** `X.Y.Z`: the server's own, else X.0.0; 5.5.0 for codes that are neither 2xx, 4xx nor 5xx. */
  dsn: string
  /** Lines joined with `\n`, each with its code; printable. */
  text: string
  /** A line in it did not look like a reply. */
  isGarbage: boolean
}

export interface ReplyRules {
  /** `H[A]:P`, for warnings. */
  peer: string
  /** line_length_limit */
  lineLimit: number
  /** smtputf8_enable: UTF-8 in replies stays. */
  allowsUtf8: boolean
  /** smtp_reply_filter: replaces a line before it is looked at. */
  filter?: ((line: string) => Promise<string | undefined>) | undefined
  /** Each line as it came is logged. */
  isDebugged?: boolean
  /** Gets each line as it came, and what the filter made of it. */
  transcript?: string[] | undefined
  /** Told of the first line that is no reply: there may be a million of them. */
  garbage: (line: string) => void
}

const FIRST_OCTETS = 30
const REPLY_OCTETS_LIMIT = 1_000_000
const replyLine = /^(\d{3})(?:([- ])|$)/
const enhancedCode = /^\d{3}[- ] *(([245])\.\d{1,3}\.\d{1,3})(?: |$)/

/** Up to LF, without it and the CRs before it. @throws {EndOfStreamError} and the stream's other errors */
async function readLine(
  stream: ByteStream,
  rules: ReplyRules,
  budget: { octets: number },
): Promise<string> {
  let line = ''
  let isTooLong = false
  for (;;) {
    const { buffered } = stream
    const end = buffered.indexOf('\n')
    const count = end < 0 ? buffered.length : end + 1
    budget.octets -= count
    if (budget.octets < 0) throw new EndOfStreamError('Cannot read reply: it does not end')
    line += stream.take(count)
    if (line.length > rules.lineLimit + 2) {
      line = line.slice(0, rules.lineLimit)
      isTooLong = true
    }
    if (end >= 0) break
    if (!(await stream.fill())) throw new EndOfStreamError('Cannot read reply: connection lost')
  }
  // Postfix 3.7 keeps replies as C strings: they end at a NUL
  const text = line.replace(/\r*\n?$/, '').split('\0', 1)[0] ?? ''
  if (isTooLong) {
    log.warning(
      `${rules.peer}: response longer than ${rules.lineLimit}: ${text.slice(0, FIRST_OCTETS)}...`,
    )
  }
  const clean = printable(text)
  return rules.allowsUtf8 ? clean : clean.replace(/[^\x20-\x7e]/g, '?')
}

/** @throws {EndOfStreamError | StreamTimeoutError | SystemError} there is no reply */
export async function readReply(stream: ByteStream, rules: ReplyRules): Promise<Reply> {
  let text = ''
  let isGarbage = false
  let isFull = false
  const budget = { octets: REPLY_OCTETS_LIMIT }
  for (;;) {
    let line = await readLine(stream, rules, budget)
    rules.transcript?.push(`In:  ${line}`)
    if (rules.isDebugged === true) log.info(`< ${rules.peer}: ${line}`)
    if (rules.filter !== undefined) line = await filtered(line, rules.filter, rules)
    if (text.length >= rules.lineLimit) {
      if (!isFull) {
        const first = line.slice(0, FIRST_OCTETS)
        log.warning(`${rules.peer}: multi-line response longer than ${rules.lineLimit} ${first}...`)
      }
      isFull = true
    } else text += text === '' ? line : `\n${line}`

    const [, code, separator] = replyLine.exec(line) ?? []
    if (code === undefined) {
      if (!isGarbage) rules.garbage(line)
      isGarbage = true
    } else if (separator !== '-') return { code: Number(code), dsn: dsnOf(line), text, isGarbage }
  }
}

async function filtered(
  line: string,
  filter: (line: string) => Promise<string | undefined>,
  { peer, transcript }: ReplyRules,
): Promise<string> {
  const replaced = await filter(line)
  if (replaced === undefined) return line
  log.info(`${peer}: replacing server reply "${line}" with "${replaced}"`)
  transcript?.push('Replaced-by:', `     ${replaced}`)
  return replaced
}

/** RFC 2034 4: the enhanced code must agree with the class of the reply code. */
function dsnOf(line: string): string {
  const digit = line.charAt(0)
  if (digit !== '2' && digit !== '4' && digit !== '5') return '5.5.0'
  const [, dsn, dsnClass] = enhancedCode.exec(line) ?? []
  return dsn !== undefined && dsnClass === digit ? dsn : `${digit}.0.0`
}
