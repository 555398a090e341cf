/**
 * submit-message - hands a message to postdrop(1), which alone may write into the maildrop directory
 *
 *   [C] [A envelope_id] [A ret_flags] A rewrite_context F S [A encoding] [A trace_flags] [V]
 *   { [A notify_flags] R }  M  content  X  { [A notify_flags] R }  E
 *
 * postdrop(1) is started with one socket as its standard input and output. Nothing is written down here.
 * Source: Postfix 3.7 sendmail(1), queue file format; C: Postfix 3.11.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { MainConfig } from '@posthorn/config/main-config'
import { normalizeHeaderName } from '@posthorn/message/header-line'
import { socketPair } from '@posthorn/native/socket'
import { encodeAttribute } from '@posthorn/queue/named-attribute'
import { encodeRecord, RECORD, untilNul } from '@posthorn/queue/record'
import { encodePreliminarySize } from '@posthorn/queue/size-record'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { openPostdrop, type SubmissionResult } from '@posthorn/wire/postdrop-protocol'
import type { SubmissionSession } from '@posthorn/wire/submission-session'
import type { HeaderRecipients } from './header-recipients.ts'
import type { LinePiece } from './message-lines.ts'
import { childEnvironment } from './run-program.ts'

/** trace_flags */
export const TRACE = { verify: 512, report: 1024 } as const

export interface Envelope {
  readonly sender: string
  readonly fullName: string
  /** Internal form. */
  readonly recipients: readonly string[]
  readonly rewriteContext: 'local' | 'remote'
  readonly encoding: '7bit' | '8bit' | undefined
  readonly envelopeId: string | undefined
  readonly returnFlags: number
  readonly notifyFlags: number
  /** Two delimiters. */
  readonly verp: string | undefined
  readonly traceFlags: number
  /** SENDOPT_FLAGS */
  readonly sendOptions: number
}

export interface Content {
  /** undefined: take recipients from headers as well. */
  readonly headers: HeaderRecipients | undefined
  readonly lines: AsyncIterable<LinePiece> | Iterable<LinePiece>
  /** line_length_limit */
  readonly lineLimit: number
}

/** There is nobody to send the message to. */
export class NoRecipientsError extends Error {
  readonly code = 'POSTHORN_NO_RECIPIENTS'
}

const SEND_OCTETS = 64 * 1024

/**
 * @throws {NoRecipientsError} the submission was cancelled
 * @throws when postdrop(1) cannot be started, or ends early
 */
export async function submitMessage(
  config: MainConfig,
  envelope: Envelope,
  content: Content,
  verbosity: number,
): Promise<SubmissionResult> {
  const [ours, theirs] = socketPair()
  const child = startPostdrop(config, theirs.fd, verbosity)
  theirs.close()
  const ended = once(child, 'close')
  let result: SubmissionResult
  try {
    const session = await openPostdrop(new ByteStream(ours))
    try {
      await sendMessage(session, envelope, content)
    } catch (error) {
      session.cancel()
      throw error
    }
    result = await session.finish()
  } finally {
    if (ours.isOpen) ours.close()
    await ended
  }
  return result
}

function startPostdrop(config: MainConfig, socket: number, verbosity: number): ChildProcess {
  const path = `${config.text('command_directory')}/postdrop`
  const words = ['-r', ...Array.from({ length: Math.max(0, verbosity - 1) }, () => '-v')]
  return spawn(path, words, {
    stdio: [socket, socket, 'inherit'],
    env: childEnvironment(config),
  })
}

async function sendMessage(
  session: SubmissionSession,
  envelope: Envelope,
  content: Content,
): Promise<void> {
  session.send(encodeEnvelope(envelope))
  const { headers } = content
  let octets = ''
  for await (const piece of contentRecords(content)) {
    octets += piece
    if (octets.length < SEND_OCTETS) continue
    session.send(octets)
    octets = ''
    await session.ready()
  }
  const extracted = headers?.recipients ?? []
  if (headers !== undefined && envelope.recipients.length + extracted.length === 0) {
    throw new NoRecipientsError('No recipient addresses found in message header')
  }
  octets += encodeRecord(RECORD.extracted)
  for (const recipient of extracted) octets += encodeRecipient(recipient, envelope.notifyFlags)
  session.send(octets + encodeRecord(RECORD.end))
}

function encodeEnvelope(envelope: Envelope): string {
  const { envelopeId, returnFlags, encoding, traceFlags, verp, notifyFlags, sendOptions } = envelope
  let octets = sendOptions === 0 ? '' : encodePreliminarySize(sendOptions)
  if (envelopeId !== undefined) octets += encodeAttribute('envelope_id', envelopeId)
  if (returnFlags !== 0) octets += encodeAttribute('ret_flags', returnFlags)
  octets += encodeAttribute('rewrite_context', envelope.rewriteContext)
  octets += encodeRecord(RECORD.fullName, envelope.fullName)
  octets += encodeRecord(RECORD.sender, envelope.sender)
  if (encoding !== undefined) octets += encodeAttribute('encoding', encoding)
  if (traceFlags !== 0) octets += encodeAttribute('trace_flags', traceFlags)
  if (verp !== undefined) octets += encodeRecord(RECORD.verp, verp)
  for (const recipient of envelope.recipients) octets += encodeRecipient(recipient, notifyFlags)
  return octets + encodeRecord(RECORD.message)
}

function encodeRecipient(recipient: string, notifyFlags: number): string {
  const notify = notifyFlags === 0 ? '' : encodeAttribute('notify_flags', notifyFlags)
  return notify + encodeRecord(RECORD.recipient, recipient)
}

/**
 * With -t the text is known to have headers. They are written anew: up to the first NUL, cut at the line length limit
 * and with a line end each; where the empty line behind them is missing it is put in, and so is the last line end.
 */
async function* contentRecords(content: Content): AsyncGenerator<string, void, undefined> {
  const { headers, lines, lineLimit } = content
  let isInHeaders = headers !== undefined
  let isMidLine = false
  let header = ''
  for await (const { text, endsLine } of lines) {
    const beginsLine = !isMidLine
    isMidLine = !endsLine
    if (isInHeaders && beginsLine && headers?.line(untilNul(text)) === false) {
      isInHeaders = false
      if (text !== '') yield encodeRecord(RECORD.line)
    } else if (isInHeaders && !beginsLine) headers?.more(untilNul(text))
    if (isInHeaders) {
      header = beginsLine ? normalizeHeaderName(untilNul(text)) : header + untilNul(text)
      if (endsLine) yield headerRecords(header, lineLimit)
    } else yield encodeRecord(endsLine ? RECORD.line : RECORD.part, text)
  }
  if (headers === undefined) return
  headers.end()
  if (isMidLine) yield isInHeaders ? headerRecords(header, lineLimit) : encodeRecord(RECORD.line)
}

function headerRecords(header: string, limit: number): string {
  let octets = ''
  let at = 0
  for (; header.length - at > limit; at += limit) {
    octets += encodeRecord(RECORD.part, header.slice(at, at + limit))
  }
  return octets + encodeRecord(RECORD.line, header.slice(at))
}
