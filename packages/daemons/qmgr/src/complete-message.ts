/**
 * complete-message - what happens when every recipient in memory was tried
 *
 *     bounce log? ──▶ send it        recipients unread? ──▶ read on, come back
 *     traced?     ──▶ send report    something left?    ──▶ too old: return it; late: warn; else deferred/ID
 *                                                           └─ nothing left: remove
 *
 * The file stays in the active queue until the last step. A service that cannot be asked leaves the message
 * deferred: the same steps come again after the next round.
 *
 * Source: Postfix 3.7 qmgr(8).
 */
/* eslint-disable n/no-sync -- stat, utimes and rename of cached files: 2 to 30 us each (docs/performance.md 7) */
import { closeSync, existsSync, openSync, statSync } from 'node:fs'
import { quoteAddress } from '@posthorn/address/quote-address'
import { log } from '@posthorn/log/log'
import { markKilled, markWarned } from '@posthorn/queue/mark'
import { isReady } from '@posthorn/queue/queue-mode'
import { hasCode, moveQueueFile, removeFile, setRetryTime } from '@posthorn/queue/queue-move'
import type { SpareFiles } from '@posthorn/queue/spare-files'
import { BOUNCE_FLAGS, type BounceRequest, sendBounceRequest } from '@posthorn/wire/bounce-protocol'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import { traceFlagsOf } from './delivery-request.ts'
import { saveCorrupt } from './load-message.ts'
import type { QmgrSettings } from './qmgr-settings.ts'
import type { ActiveMessage } from './schedule/message.ts'

const serviceTimeoutMs = 1_000_000
const successFlag = 4 // of the size record: some recipient has NOTIFY=SUCCESS

export type Completion = 'readMore' | 'gone'

/**
 * Brings the message to its next queue or out of the last one.
 *
 * @returns 'readMore' when recipients are left in the file: try them, then call again
 */
export async function completeMessage(
  settings: QmgrSettings,
  spares: SpareFiles,
  message: ActiveMessage,
): Promise<Completion> {
  const { layout } = settings
  await returnBounces(settings, message)
  const path = layout.path('active', message.id)
  if (message.isDeferred) {
    const stats = statSync(path, { throwIfNoEntry: false })
    if (stats === undefined) {
      log.warning(`${message.id}: the queue file is gone from the active queue`)
      return 'gone'
    }
    if (!isReady(stats.mode)) {
      saveCorrupt(layout, message.id)
      return 'gone'
    }
  }
  if (message.unreadCount > 0) return 'readMore'
  await reportTrace(settings, message, path)
  if (message.isDeferred) await returnOrWarn(settings, message, path)
  if (message.isDeferred) defer(settings, message, path)
  else await remove(spares, message, path)
  return 'gone'
}

async function remove(spares: SpareFiles, message: ActiveMessage, path: string): Promise<void> {
  try {
    await spares.retire(path)
    log.info(`${message.id}: removed`)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
}

function defer(settings: QmgrSettings, message: ActiveMessage, path: string): void {
  try {
    setRetryTime(path, retryAtSeconds(settings, message))
    moveQueueFile(settings.layout, 'active', 'deferred', message.id)
  } catch (error) {
    // postsuper(1) may have removed it or put it on hold meanwhile
    if (!hasCode(error, 'ENOENT')) throw error
    log.warning(`${message.id}: the queue file is gone from the active queue`)
  }
}

/** Each wait is as long as the message is old, within limits: 300, 600, 1200, 2400, 4000 seconds. */
export function backoffSeconds(settings: QmgrSettings, ageSeconds: number): number {
  const { minimalBackoffSeconds, maximalBackoffSeconds } = settings
  return Math.min(Math.max(ageSeconds, minimalBackoffSeconds), maximalBackoffSeconds)
}

function retryAtSeconds(settings: QmgrSettings, message: ActiveMessage): number {
  const now = Math.floor(Date.now() / 1000)
  return now + backoffSeconds(settings, now - message.facts.envelope.createSeconds)
}

async function returnBounces(settings: QmgrSettings, message: ActiveMessage): Promise<void> {
  const path = settings.layout.path('bounce', message.id)
  if (!existsSync(path)) return
  if (statSync(path).size === 0) {
    removeFile(path)
    return
  }
  await ask(settings.bouncePath, message, sendLog(settings, message, 0))
}

async function reportTrace(
  settings: QmgrSettings,
  message: ActiveMessage,
  path: string,
): Promise<void> {
  const { envelope } = message.facts
  const { userVerify, record, recordDelay } = DELIVERY_FLAGS
  const flags = traceFlagsOf(settings, message)
  const wantsSuccess = (envelope.size.flags & successFlag) !== 0 || message.wantsSuccess
  if ((flags & (userVerify | record | recordDelay)) === 0 && !wantsSuccess) return
  const isDone = await ask(settings.tracePath, message, {
    request: 5,
    ...report(message, flags),
  })
  // A request for a record (sendmail -v) is for the first round only.
  if (isDone && envelope.traceFlags === record) {
    mark(path, (fd) => {
      markKilled(fd, envelope.traceFlagsOffset)
    })
  }
}

async function returnOrWarn(
  settings: QmgrSettings,
  message: ActiveMessage,
  path: string,
): Promise<void> {
  const { envelope, isForceExpired } = message.facts
  const now = Math.floor(Date.now() / 1000)
  const lifetime =
    envelope.sender === '' ? settings.bounceLifetimeSeconds : settings.lifetimeSeconds
  if (isForceExpired || now >= envelope.createSeconds + lifetime) {
    const sender = settings.logsExternalAddresses ? quoteAddress(envelope.sender) : envelope.sender
    const how = isForceExpired ? 'force-expired' : 'expired'
    log.info(`${message.id}: from=<${sender}>, status=${how}, returned to sender`)
    message.isDeferred = false
    await ask(
      settings.deferPath,
      message,
      sendLog(settings, message, BOUNCE_FLAGS.deleteRecipients),
    )
  } else if (envelope.warnSeconds > 0 && now >= envelope.warnSeconds - 1) {
    const isDone = await ask(settings.deferPath, message, { request: 2, ...report(message, 0) })
    if (isDone) {
      mark(path, (fd) => {
        markWarned(fd, envelope.warnOffset)
      })
    }
  }
}

/** Sends a log to the sender; with VERP one notice per recipient. */
function sendLog(settings: QmgrSettings, message: ActiveMessage, flags: number): BounceRequest {
  const { verpDelimiters } = message.facts
  return verpDelimiters !== '' && settings.bouncesVerp
    ? { request: 3, ...report(message, flags), delimiters: verpDelimiters }
    : { request: 1, ...report(message, flags) }
}

function report(
  message: ActiveMessage,
  flags: number,
): Omit<BounceRequest & { request: 1 }, 'request'> {
  const { envelope } = message.facts
  return {
    flags,
    queueName: 'active',
    queueId: message.id,
    encoding: envelope.encoding,
    smtpUtf8: envelope.size.smtputf8,
    sender: envelope.sender,
    envelopeId: envelope.envelopeId,
    returnFlags: envelope.returnFlags,
  }
}

/** True when the service did it; if not, the message stays. */
async function ask(path: string, message: ActiveMessage, request: BounceRequest): Promise<boolean> {
  const kinds: Record<number, string> = { 1: 'bounce', 2: 'delay warning', 3: 'verp', 5: 'trace' }
  try {
    if ((await sendBounceRequest(path, request, { timeoutMs: serviceTimeoutMs })) === 0) return true
  } catch (error) {
    log.warning(
      `problem talking to service ${path}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  message.isDeferred = true
  log.info(`${message.id}: status=deferred (${kinds[request.request] ?? 'bounce'} failed)`)
  return false
}

function mark(path: string, change: (fd: number) => void): void {
  const fd = openSync(path, 'r+')
  try {
    change(fd)
  } finally {
    closeSync(fd)
  }
}
