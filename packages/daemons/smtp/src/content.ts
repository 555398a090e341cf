/**
 * content - sends the text of a message after DATA, up to but without the final dot
 *
 * The text is copied as it is, in chunks of 64 KB, except where something is to be changed in it (content-editor.ts). Nothing is awaited while less than a chunk is unwritten, so a small message
 * leaves together with its final dot in one system call.
 * Source: Postfix 3.7.
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import type { DeliveryJob } from '@posthorn/delivery/delivery-job'
import type { Recipient } from '@posthorn/wire/delivery-request'
import { ContentDeadline } from './content-deadline.ts'
import { editContent, type Edits } from './content-editor.ts'
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
  /** Absent: the text goes out as it is. */
  edits: Edits | undefined
  headers: HeaderFlags
  /** For each write. */
  timeoutMs: number
  /** Octets per second that the server must take at least, where each request has a deadline. */
  minDataRate: number
}

const UNWRITTEN_LIMIT_OCTETS = 64 * 1024
/** Of content with a deadline. */
const TIMED_STEP_OCTETS = 4096

/** `recipients`: one, when headers about the recipient are wanted. */
async function extraHeaders(
  job: DeliveryJob,
  recipients: readonly Recipient[],
  flags: HeaderFlags,
  map: (address: string) => Promise<string>,
): Promise<string> {
  const { sender } = job.request
  const [recipient] = recipients
  let headers = ''
  if (flags.returnPath) headers += `Return-Path: <${quoteAddress(await map(sender))}>\r\n`
  if (recipient === undefined) return headers
  const { originalRecipient } = recipient
  if (flags.originalTo) {
    headers += `X-Original-To: ${quoteAddress(await map(originalRecipient))}\r\n`
  }
  if (flags.deliveredTo) {
    headers += `Delivered-To: ${quoteAddress(await map(recipient.recipient))}\r\n`
  }
  return headers
}

/** Each step earns time for the next one. */
async function writeInSteps(
  octets: string,
  session: Session,
  deadline: ContentDeadline,
): Promise<void> {
  const { stream } = session
  for (let at = 0; at < octets.length; at += TIMED_STEP_OCTETS) {
    stream.write(octets.slice(at, at + TIMED_STEP_OCTETS))
    const { unwritten } = stream
    if (unwritten < TIMED_STEP_OCTETS) continue
    const startMs = Date.now()
    stream.deadlineMs = startMs + deadline.leftMs
    await flush(session)
    deadline.wrote(unwritten, session.lastIoMs - startMs)
  }
}

async function flush(session: Session): Promise<void> {
  await session.stream.flush()
  session.lastIoMs = Date.now()
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
  const { headers, edits } = rules
  if (headers.returnPath || headers.originalTo || headers.deliveredTo) {
    const map = async (address: string): Promise<string> =>
      (await edits?.generic?.map(address)) ?? address
    stream.write(encoder.push(await extraHeaders(job, recipients, headers, map)))
  }
  const { timeoutMs, minDataRate } = rules
  const deadline = stream.deadlineMs > 0 ? new ContentDeadline(timeoutMs, minDataRate) : undefined
  for await (const chunk of rules.edits === undefined ? text : editContent(text, rules.edits)) {
    const octets = encoder.push(chunk)
    if (deadline !== undefined) await writeInSteps(octets, session, deadline)
    else {
      stream.write(octets)
      if (stream.unwritten >= UNWRITTEN_LIMIT_OCTETS) await flush(session)
    }
  }
  stream.write(encoder.finish())
  return encoder.didBreak
}
