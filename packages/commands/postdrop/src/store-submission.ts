/**
 * store-submission - the conversation of postdrop(1): one message from standard input to maildrop
 *
 * Holds: one queue file, not ready before it is complete and on the disk. Whatever goes wrong removes it.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { fatal, flushLog, log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { RecordError } from '@posthorn/queue/queue-error'
import { QueueFileWriter } from '@posthorn/queue/queue-file-writer'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { MODE_READY_MAILDROP } from '@posthorn/queue/queue-mode'
import { RecordReader } from '@posthorn/queue/record-reader'
import { encodeTimeRecord, queueTimeNow } from '@posthorn/queue/time-record'
import { encodeAttrList } from '@posthorn/wire/attr-list'
import {
  CLEANUP_STATUS,
  postdropProtocol,
  SubmissionReply,
  type SubmissionResult,
} from '@posthorn/wire/postdrop-protocol'
import { endpointProblem, trigger } from '@posthorn/wire/trigger'
import { MalformedSubmissionError, Submission } from './submission.ts'
import type { SubmitPermission } from './submit-permission.ts'

const READABLE_BY_PICKUP = 0o644

/** @returns the exit status */
export async function storeSubmission(
  config: MainConfig,
  uid: number,
  permission: SubmitPermission,
): Promise<number> {
  const writer = createFile(config)
  removeOnSignals(writer)
  const warn = (text: string): void => {
    log.warning(`uid=${uid}: ${text}`)
  }
  let result: SubmissionResult | undefined
  try {
    reply(
      encodeAttrList([
        ['protocol', postdropProtocol],
        ['queue_id', writer.id],
      ]),
    )
    result = await receive(config, writer, permission, warn)
  } catch (error) {
    writer.remove()
    if (error instanceof RecordError) {
      log.warning(`stdin: ${error.message}`)
      fatal(`uid=${uid}: malformed input`)
    }
    if (error instanceof MalformedSubmissionError) fatal(`uid=${uid}: ${error.message}`)
    throw error
  }
  if (result === undefined) {
    writer.remove()
    return 0 // cancelled: the user changed their mind
  }
  if (result.status === 0) result = await commit(config, writer, warn)
  else writer.remove()
  reply(SubmissionReply.encode({ ...result, stays: false }))
  return result.status & 0xff
}

function createFile(config: MainConfig): QueueFileWriter {
  try {
    const layout = QueueLayout.fromConfig(config)
    return QueueFileWriter.create(layout, 'maildrop', { mode: READABLE_BY_PICKUP })
  } catch (error) {
    fatal(`mail_queue_enter: create file maildrop: ${errorReason(error)}`)
  }
}

function removeOnSignals(writer: QueueFileWriter): void {
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      writer.remove()
      flushLog()
      // eslint-disable-next-line n/no-process-exit -- the user has interrupted the submission
      process.exit(1)
    })
  }
}

/** undefined: the input ended before the END record. */
async function receive(
  config: MainConfig,
  writer: QueueFileWriter,
  permission: SubmitPermission,
  warn: (text: string) => void,
): Promise<SubmissionResult | undefined> {
  const limit = config.integer('message_size_limit')
  const reader = new RecordReader(config.integer('line_length_limit'))
  const submission = new Submission(warn)
  const isTooBig = (): boolean => limit > 0 && writer.position > limit
  writer.append(encodeTimeRecord(queueTimeNow()))
  for await (const octets of readInput()) {
    reader.push(octets)
    for (let record = reader.next(); record !== undefined; record = reader.next()) {
      const stored = submission.take(record)
      if (!isTooBig()) writer.append(stored)
      if (submission.isComplete) {
        if (isTooBig()) warn('File too large')
        return verdict(submission, isTooBig(), permission)
      }
    }
    await writer.drain()
  }
  reader.end()
  return undefined
}

async function verdict(
  submission: Submission,
  isTooBig: boolean,
  permission: SubmitPermission,
): Promise<SubmissionResult> {
  const { complaint, senders } = submission
  if (isTooBig) return { status: CLEANUP_STATUS.size, reason: '' }
  if (complaint !== undefined) return { status: CLEANUP_STATUS.bad, reason: complaint }
  for (const sender of senders) {
    const problem = await permission.senderProblem(sender)
    if (problem !== undefined) return problem
  }
  return { status: 0, reason: '' }
}

async function* readInput(): AsyncGenerator<string, void, undefined> {
  const input: AsyncIterable<Buffer> = process.stdin
  try {
    for await (const octets of input) yield octets.toString('latin1')
  } catch (error) {
    log.warning(`stdin: ${errorReason(error)}`) // a client that is gone: as if it had ended
  }
}

async function commit(
  config: MainConfig,
  writer: QueueFileWriter,
  warn: (text: string) => void,
): Promise<SubmissionResult> {
  try {
    await writer.finish(MODE_READY_MAILDROP)
  } catch (error) {
    warn(errorReason(error))
    return { status: CLEANUP_STATUS.write, reason: '' }
  }
  const pickup = `public/${config.text('pickup_service_name')}`
  try {
    await trigger(pickup, 'W', config.seconds('trigger_timeout') * 1000)
  } catch (error) {
    // It is safe where it is: pickup(8) looks every minute.
    const problem = endpointProblem(pickup, error)
    if (problem === undefined) log.debug(`unable to reach ${pickup}: ${errorReason(error)}`)
    else log.warning(problem)
  }
  return { status: 0, reason: '' }
}

function reply(octets: string): void {
  process.stdout.write(octets, 'latin1')
}
