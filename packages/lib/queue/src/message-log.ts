/**
 * message-log - what happened to the recipients of one message: bounce/ID, defer/ID, trace/ID
 *
 * bounce(8) appends an entry for each recipient event and later makes a notice of them; showq(8)
 * shows the reasons of the defer log. Entries are blocks of `name=value` lines between empty lines,
 * readable for people and for old versions.
 *
 * Addresses in the log are in external form, values are single printable lines.
 * Limits: an append waits for the lock 20 times a second by default; the file is as it was if the
 * append fails; a reader holds 64 KB.
 * Source: Postfix 3.7 bounce(8).
 */
/* eslint-disable n/no-sync -- small appends and reads of cached files (docs/performance.md 7); fsync is asynchronous */
import { quoteAddress } from '@posthorn/address/quote-address'
import { tryLock } from '@posthorn/native/lock'
import { closeSync, fstatSync, fsync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { QueueId } from './queue-id.ts'
import type { MessageLogName, QueueLayout } from './queue-layout.ts'
import { hasCode, removeFile } from './queue-move.ts'
import type { QueueRecipient } from './queue-recipient.ts'

const syncFile = promisify(fsync)

/** What happened, as the DSN group on the wire says it (RFC 3464 2.3). */
export interface LogStatus {
  readonly status: string
  readonly action: string
  readonly diagnosticType: string
  readonly diagnosticText: string
  readonly remoteMtaType: string
  readonly remoteMtaName: string
  readonly reason: string
}

export interface LogEntry {
  readonly recipient: QueueRecipient
  readonly dsn: LogStatus
}

export interface AppendOptions {
  /** deliver_lock_attempts, deliver_lock_delay */
  readonly lockAttempts?: number
  readonly lockDelayMs?: number
}

/** The lock could not be had in time. */
export class MessageLogBusyError extends Error {
  readonly code = 'POSTHORN_LOG_BUSY'
}

/**
 * One entry as text. The addresses of `recipient` are in internal form here; values must be printable.
 * @param withOldForm also writes the line that Postfix before 2.0 reads (backwards_bounce_logfile_compatibility)
 */
export function formatLogEntry(
  recipient: QueueRecipient,
  dsn: LogStatus,
  withOldForm: boolean,
): string {
  const address = quoteAddress(recipient.recipient) || '<>'
  const original = quoteAddress(recipient.originalRecipient)
  let text = '\n'
  if (withOldForm) text += `<${address === '<>' ? '' : address}>: ${dsn.reason}\n`
  text += `recipient=${address}\n`
  if (original !== '' && original.toLowerCase() !== address.toLowerCase()) {
    text += `original_recipient=${original}\n`
  }
  if (recipient.offset > 0) text += `offset=${recipient.offset}\n`
  if (recipient.dsnOriginalRecipient !== '') {
    text += `dsn_orig_rcpt=${recipient.dsnOriginalRecipient}\n`
  }
  if (recipient.notifyFlags !== 0) text += `notify_flags=${recipient.notifyFlags}\n`
  text += `status=${dsn.status}\naction=${dsn.action}\n`
  if (dsn.diagnosticType !== '' && dsn.diagnosticText !== '') {
    text += `diag_type=${dsn.diagnosticType}\ndiag_text=${dsn.diagnosticText}\n`
  }
  if (dsn.remoteMtaType !== '' && dsn.remoteMtaName !== '') {
    text += `mta_type=${dsn.remoteMtaType}\nmta_mname=${dsn.remoteMtaName}\n`
  }
  return `${text}reason=${dsn.reason}\n\n`
}

/**
 * Appends under an exclusive lock and waits for the disk.
 * @throws {MessageLogBusyError} somebody holds the lock; errors of system calls as they are
 */
export async function appendMessageLog(
  layout: QueueLayout,
  log: MessageLogName,
  id: QueueId,
  entry: string,
  options: AppendOptions = {},
): Promise<void> {
  const path = layout.path(log, id)
  const fd = openForAppend(path)
  try {
    await lockLog(fd, path, options.lockAttempts ?? 20, options.lockDelayMs ?? 1000)
    const before = fstatSync(fd).size
    try {
      writeWhole(fd, Buffer.from(entry, 'latin1'))
      await syncFile(fd)
    } catch (error) {
      ftruncateSync(fd, before)
      throw error
    }
  } finally {
    closeSync(fd)
  }
}

/** False when there was no log. */
export function removeMessageLog(layout: QueueLayout, log: MessageLogName, id: QueueId): boolean {
  return removeFile(layout.path(log, id))
}

function openForAppend(path: string): number {
  try {
    return openSync(path, 'a', 0o600)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return openSync(path, 'a', 0o600)
  }
}

function writeWhole(fd: number, octets: Buffer): void {
  for (let written = 0; written < octets.length;) written += writeSync(fd, octets, written)
}

async function lockLog(fd: number, path: string, attempts: number, delayMs: number): Promise<void> {
  for (let attempt = 1; !tryLock(fd, 'exclusive'); attempt += 1) {
    if (attempt >= attempts) throw new MessageLogBusyError(`Cannot lock ${path}: it is in use`)
    // Between half and one and a half of the delay, so that those who wait do not meet again.
    await delay(delayMs * (0.5 + Math.random()))
  }
}
