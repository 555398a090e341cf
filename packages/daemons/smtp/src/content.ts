/**
 * content - sends the text of a message after DATA, up to but without the final dot
 *
 * The text is copied as it is, in chunks of 64 KB, except for servers that do not take 8-bit text: for those it goes
 * through the MIME converter line by line. Nothing is awaited while less than a chunk is unwritten, so a small message
 * leaves together with its final dot in one system call.
 * Source: Postfix 3.7.
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import type { DeliveryJob } from '@posthorn/delivery/delivery-job'
import { Downgrade } from '@posthorn/message/downgrade'
import type { Recipient } from '@posthorn/wire/delivery-request'
import { ContentEncoder } from './content-encoder.ts'
import type { Session } from './session.ts'

/** `flags=` of master.cf. */
export interface HeaderFlags {
  /** R */
  returnPath: boolean
  /** O */
  originalTo: boolean
  /** D */
  deliveredTo: boolean
  /** X: this delivery is the final one. */
  isFinal: boolean
}

export interface ContentRules {
  lineLengthLimit: number
  isConverted: boolean
  headers: HeaderFlags
  /** For each write. */
  timeoutMs: number
  /** Octets per second that the server must take at least; 0 = no such rule. */
  minDataRate: number
}

const UNWRITTEN_LIMIT_OCTETS = 64 * 1024

/** `recipients`: one, when headers about the recipient are wanted. */
function extraHeaders(
  job: DeliveryJob,
  recipients: readonly Recipient[],
  flags: HeaderFlags,
): string {
  const { sender } = job.request
  const [recipient] = recipients
  let headers = ''
  if (flags.returnPath) headers += `Return-Path: <${quoteAddress(sender)}>\r\n`
  if (recipient === undefined) return headers
  const { originalRecipient } = recipient
  if (flags.originalTo) {
    headers += `X-Original-To: ${quoteAddress(originalRecipient || recipient.recipient)}\r\n`
  }
  if (flags.deliveredTo) headers += `Delivered-To: ${quoteAddress(recipient.recipient)}\r\n`
  return headers
}

async function* convert(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  const converter = new Downgrade()
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\r\n')
    rest = lines.pop() ?? ''
    const converted = lines.flatMap((line) => converter.line(line))
    if (converted.length > 0) yield `${converted.join('\r\n')}\r\n`
  }
  const last = [...(rest === '' ? [] : converter.line(rest)), ...converter.finish()]
  if (last.length > 0) yield `${last.join('\r\n')}\r\n`
}

/**
 * Returns whether a line had to be broken.
 *
 * @throws {QueueFileCorruptError} the queue file is damaged; the server has half a message then
 * @throws {EndOfStreamError | StreamTimeoutError} the server does not take it
 */
export async function sendContent(
  job: DeliveryJob,
  recipients: readonly Recipient[],
  session: Session,
  rules: ContentRules,
): Promise<boolean> {
  const { stream } = session
  const encoder = new ContentEncoder(rules.lineLengthLimit)
  const text = job.file.content(job.request.dataOffset, '\r\n')
  session.begin('sending message body', rules.timeoutMs)
  stream.write(encoder.push(extraHeaders(job, recipients, rules.headers)))
  for await (const chunk of rules.isConverted ? convert(text) : text) {
    const octets = encoder.push(chunk)
    if (stream.deadlineMs > 0 && rules.minDataRate > 0) {
      stream.deadlineMs += (octets.length / rules.minDataRate) * 1000
    }
    stream.write(octets)
    if (stream.unwritten >= UNWRITTEN_LIMIT_OCTETS) await stream.flush()
  }
  stream.write(encoder.finish())
  return encoder.didBreak
}
