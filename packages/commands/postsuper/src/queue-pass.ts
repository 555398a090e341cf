/**
 * queue-pass - repairs, and actions on ALL messages, directory by directory
 *
 * Logs come before messages, so that what belongs to a message is in place before the message is.
 * Source: Postfix 3.7 postsuper(1).
 */
import { log } from '@posthorn/log/log'
import { findQueueId, type QueueId } from '@posthorn/queue/queue-id'
import {
  MESSAGE_LOGS,
  type MessageLogName,
  type MessageQueue,
  type QueueLayout,
} from '@posthorn/queue/queue-layout'
import { isReady } from '@posthorn/queue/queue-mode'
import { removeFile } from '@posthorn/queue/queue-move'
import { ACTION_QUEUES, actOnFile } from './message-actions.ts'
import { attempt } from './operation-error.ts'
import type { MessageAction } from './postsuper-options.ts'
import { walkQueue, type WalkedFile } from './queue-walk.ts'
import { rename, SUFFIX, warnBogus, type NameRepair } from './repair-names.ts'

/** The order matters: see above. */
export const DEFAULT_QUEUES = [
  'defer',
  'bounce',
  'maildrop',
  'incoming',
  'active',
  'deferred',
  'hold',
  'flush',
] as const

export type SuperQueue = (typeof DEFAULT_QUEUES)[number] | 'trace'

/** An incomplete file of this age has no writer any more. */
export const STALE_MS = 7 * 24 * 3600 * 1000

export interface RepairOptions {
  readonly purges: boolean
  readonly repairs: boolean
  readonly repairsLongIds: boolean
}

/** Undefined: postsuper(1) does not touch this directory. */
export function findSuperQueue(name: string): SuperQueue | undefined {
  return [...DEFAULT_QUEUES, 'trace' as const].find((known) => known === name)
}

export function isMessageQueue(queue: SuperQueue): queue is SuperQueue & MessageQueue {
  return !isLogName(queue) && queue !== 'flush'
}

function isLogName(queue: string): queue is MessageLogName {
  return MESSAGE_LOGS.some((name) => name === queue)
}

/** `progress.renamedCount` is true at any time, also when this throws or is interrupted. */
export async function repairQueues(
  layout: QueueLayout,
  queues: readonly SuperQueue[],
  options: RepairOptions,
  progress: NameRepair,
): Promise<void> {
  for (const queue of queues) {
    log.debug(`queue: ${queue}`)
    for await (const file of walkQueue(layout, queue, options.repairs)) {
      if (!purge(file, isMessageQueue(queue), options.purges)) {
        firstPass(layout, queue, file, options, progress)
      }
    }
  }
  if (progress.pendingCount === 0) return
  // Unlike Postfix's, which leaves trace logs with their suffix.
  const touched = [...new Set<SuperQueue>([...MESSAGE_LOGS, ...queues])]
  for (const queue of touched) {
    for await (const file of walkQueue(layout, queue, false)) {
      const isWanted = queues.includes(queue) || file.name.endsWith(SUFFIX)
      if (!file.stat.isFile() || !isWanted) continue
      const id = progress.finishName(file, isMessageQueue(queue))
      if (id !== undefined) putInPlace(layout, file, id)
    }
  }
}

/** @returns how many messages the action was done to */
export async function actOnAll(
  layout: QueueLayout,
  queues: readonly SuperQueue[],
  action: MessageAction,
): Promise<number> {
  let count = 0
  for (const queue of queues) {
    for await (const file of walkQueue(layout, queue, false)) {
      const isCounted = isMessageQueue(queue) && isReady(file.stat.mode)
      if (action === 'delete') {
        // Logs are files of other directories: they go when those are named, as by default.
        if (remove(file) && isCounted) count += 1
      } else if (!file.stat.isFile()) {
        if (isMessageQueue(queue)) remove(file)
      } else if (findQueueId(file.name) === undefined) {
        warnBogus(file)
      } else if (isMessageQueue(queue) && ACTION_QUEUES[action].includes(queue)) {
        if (actOnFile(layout, action, file.path, file.name, file.stat)) count += 1
      }
    }
  }
  return count
}

function remove(file: WalkedFile): boolean {
  return attempt(`remove file ${file.path}`, () => removeFile(file.path))
}

/** True: the file is gone, or is none. */
function purge(file: WalkedFile, isMessage: boolean, purges: boolean): boolean {
  const { stat } = file
  const isStale = stat.isFile() && !isReady(stat.mode) && Date.now() - stat.mtimeMs > STALE_MS
  // What is no file never was a message; a file may still be in the hands of its writer.
  if (isMessage && (!stat.isFile() || (purges && isStale))) {
    remove(file)
    return true
  }
  return !stat.isFile()
}

function firstPass(
  layout: QueueLayout,
  queue: SuperQueue,
  file: WalkedFile,
  options: RepairOptions,
  progress: NameRepair,
): void {
  const isMessage = isMessageQueue(queue)
  if (options.repairs && isMessage) {
    const id = progress.checkMessage(file)
    if (id !== undefined) putInPlace(layout, file, id)
    return
  }
  const id = findQueueId(file.name)
  if (id !== undefined) {
    if (options.repairs) putInPlace(layout, file, id)
  } else if (options.repairs && isLogName(queue) && file.name.endsWith(SUFFIX)) {
    progress.pendingCount += 1
  } else {
    warnBogus(file)
  }
}

/** Into the hash directory where everybody looks for it. */
function putInPlace(layout: QueueLayout, file: WalkedFile, id: QueueId): void {
  const target = layout.path(file.queue, id)
  if (target !== file.path) rename(file.path, target)
}
