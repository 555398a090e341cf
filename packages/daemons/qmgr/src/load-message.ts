/**
 * load-message - takes one file into the active queue and reads its envelope
 *
 *     incoming/ID or deferred/ID ──rename──▶ active/ID ──locked, read──▶ ActiveMessage
 *                                                │ locked by an agent ──▶ incoming/ID, in a minute
 *                                                │ malformed ──▶ corrupt/ID
 *
 * The lock is the sign of a delivery that an earlier queue manager began; nobody else touches a file of the active
 * queue, so it is closed, and the lock dropped, as soon as the envelope is in memory.
 *
 * Source: Postfix 3.7 qmgr(8).
 */
/* eslint-disable n/no-sync -- lstat, rename, open, flock, read, close of a cached file: 30 us (docs/performance.md 7) */
import { chmodSync, existsSync, lstatSync, type Stats, statSync } from 'node:fs'
import { quoteAddress } from '@posthorn/address/quote-address'
import { log } from '@posthorn/log/log'
import type { Envelope } from '@posthorn/queue/envelope'
import { OpenQueueFile, QueueFileLockedError } from '@posthorn/queue/open-queue-file'
import type { QueueId } from '@posthorn/queue/queue-id'
import type { QueueLayout } from '@posthorn/queue/queue-layout'
import { QueueFileCorruptError } from '@posthorn/queue/queue-error'
import { isForceExpired, isReady, MODE_READY, MODE_UNTHROTTLE } from '@posthorn/queue/queue-mode'
import { hasCode, moveQueueFile, removeFile, setRetryTime } from '@posthorn/queue/queue-move'
import { readEnvelope, readRecipients } from '@posthorn/queue/read-envelope'
import type { Recipient } from '@posthorn/wire/attr-groups'
import { errorReason } from '@posthorn/native/system-error'
import type { QueueEntry } from './directory-scan.ts'
import type { FeedQueue } from './queue-feed.ts'
import type { QmgrSettings } from './qmgr-settings.ts'
import { ActiveMessage } from './schedule/message.ts'

/** Most recipients that one read brings into memory. */
const batchLimit = 5000
const lockedRetrySeconds = 60
const linkGraceSeconds = 60

export interface LoadedMessage {
  readonly message: ActiveMessage
  readonly recipients: readonly Recipient[]
}

/** What a look at the directory entry says: the file's mode when it may be taken in. */
export function findReadyMode(entry: QueueEntry, ignoresTimes: boolean): number | undefined {
  const stats = lstatSync(entry.path, { throwIfNoEntry: false })
  if (stats === undefined) return undefined
  if (!stats.isFile()) {
    log.warning(`${entry.path}: uid ${stats.uid}: not a regular file`)
    return undefined
  }
  if (!isReady(stats.mode)) return undefined
  const nowMs = Date.now()
  warnOfLinks(entry.path, stats, nowMs)
  return ignoresTimes || stats.mtimeMs <= nowMs + 1000 ? stats.mode : undefined
}

/**
 * Moves the file to the active queue and reads it.
 *
 * @param mode from findReadyMode()
 * @param recipientCount recipients in memory, of all messages
 * @returns undefined when the message is not to be delivered now
 */
export function loadMessage(
  settings: QmgrSettings,
  queue: FeedQueue,
  entry: QueueEntry,
  mode: number,
  recipientCount: number,
): LoadedMessage | undefined {
  const { layout } = settings
  const { id } = entry
  try {
    moveQueueFile(layout, queue, 'active', id)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    log.warning(`qmgr_active_feed: ${id}: rename from ${queue} to active: ${errorReason(error)}`)
    return undefined
  }
  const file = openLocked(layout, id)
  if (file === undefined) return undefined
  try {
    const limit = Math.max(settings.recipientLimit - recipientCount, settings.recipientMinimum)
    const envelope = readEnvelope(file.fd, { recipientLimit: Math.min(limit, batchLimit) })
    if ((mode & MODE_UNTHROTTLE) !== 0) {
      chmodSync(file.path, MODE_READY | (mode & 0o077 & ~MODE_UNTHROTTLE))
    }
    return describe(settings, id, envelope, mode)
  } catch (error) {
    if (!(error instanceof QueueFileCorruptError)) throw error
    log.warning(`${id}: ${error.message}`)
    saveCorrupt(layout, id)
    return undefined
  } finally {
    file.close()
  }
}

/**
 * The next recipients of a message that has more of them than memory may hold.
 *
 * @throws {QueueFileCorruptError}
 */
export function loadMoreRecipients(
  settings: QmgrSettings,
  message: ActiveMessage,
  atLeast: number,
): readonly Recipient[] {
  const file = OpenQueueFile.open(settings.layout, 'active', message.id, 'none')
  if (file === undefined) throw new QueueFileCorruptError('the queue file is gone')
  try {
    const limit = Math.min(Math.max(message.freeSlots, atLeast), batchLimit)
    const { size } = message.facts.envelope
    const batch = readRecipients(file.fd, size, message.resumeOffset, limit)
    for (const warning of batch.warnings) log.warning(`${message.id}: ${warning}`)
    countRead(message, batch.resumeOffset, batch.recipientsSeen)
    return batch.recipients
  } finally {
    file.close()
  }
}

export function saveCorrupt(layout: QueueLayout, id: QueueId): void {
  log.warning(`saving corrupt file "${id}" from queue "active" to queue "corrupt"`)
  moveQueueFile(layout, 'active', 'corrupt', id)
}

function warnOfLinks(path: string, stats: Stats, nowMs: number): void {
  if (stats.nlink > 1 && stats.ctimeMs < nowMs - linkGraceSeconds * 1000) {
    log.warning(`${path}: uid ${stats.uid}: file has ${stats.nlink} links`)
  }
}

function openLocked(layout: QueueLayout, id: QueueId): OpenQueueFile | undefined {
  try {
    return OpenQueueFile.open(layout, 'active', id, 'exclusive')
  } catch (error) {
    if (!(error instanceof QueueFileLockedError)) throw error
    log.info(`${id}: skipped, still being delivered`)
    setRetryTime(layout.path('active', id), Math.floor(Date.now() / 1000) + lockedRetrySeconds)
    moveQueueFile(layout, 'active', 'incoming', id)
    return undefined
  }
}

function describe(
  settings: QmgrSettings,
  id: QueueId,
  envelope: Envelope,
  mode: number,
): LoadedMessage {
  const { recipients, size, sender, warnings } = envelope
  log.info(
    `${id}: from=<${settings.logsExternalAddresses ? quoteAddress(sender) : sender}>, ` +
      `size=${size.contentLength}, nrcpt=${size.recipientCount} (queue active)`,
  )
  for (const warning of warnings) log.warning(`${id}: ${warning}`)
  const activeMs = Date.now()
  const message = new ActiveMessage(
    id,
    {
      envelope: { ...envelope, recipients: [], warnings: [] },
      activeMs,
      queuedSeconds: settings.queuedSeconds(activeMs),
      isForceExpired: isForceExpired(mode),
      unthrottles: (mode & MODE_UNTHROTTLE) !== 0,
      verpDelimiters: checkVerp(settings, id, envelope),
    },
    settings.recipientMinimum,
  )
  message.unreadCount = size.recipientCount
  countRead(message, envelope.resumeOffset, envelope.recipientsSeen)
  return { message, recipients: takeDeferLog(settings.layout, message) ? [] : recipients }
}

/** Keeps count of what is still in the file only; there the truth is in the records. */
function countRead(message: ActiveMessage, resumeOffset: number, seen: number): void {
  const unread = message.unreadCount - seen
  message.resumeOffset = resumeOffset
  message.unreadCount = resumeOffset === 0 ? 0 : Math.max(1, unread)
  if (resumeOffset === 0 && unread !== 0) {
    log.warning(`${message.id}: rcpt count mismatch (${unread})`)
  }
}

/**
 * The defer log tells of the last round, so it goes away; unless the message is to be returned at once, for the
 * reasons that the log gives. True when that is so.
 */
function takeDeferLog(layout: QueueLayout, message: ActiveMessage): boolean {
  const path = layout.path('defer', message.id)
  if (!existsSync(path)) return false
  if (message.facts.isForceExpired && statSync(path).size > 0) {
    message.isDeferred = true
    message.unreadCount = 0
    return true
  }
  removeFile(path)
  return false
}

function checkVerp(settings: QmgrSettings, id: QueueId, envelope: Envelope): string {
  const { verpDelimiters, sender } = envelope
  if (verpDelimiters === '') return ''
  if (sender === '') {
    log.warning(`${id}: ignoring VERP request for null sender`)
    return ''
  }
  const { verpDelimiterFilter } = settings
  const isAllowed =
    verpDelimiterFilter.includes(verpDelimiters.charAt(0)) &&
    verpDelimiterFilter.includes(verpDelimiters.charAt(1))
  if (verpDelimiters.length === 2 && isAllowed) return verpDelimiters
  log.warning(`${id}: ignoring bad VERP request: "${verpDelimiters.slice(0, 100)}"`)
  return ''
}
