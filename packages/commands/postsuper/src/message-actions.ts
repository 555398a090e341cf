/**
 * message-actions - what can be done to one message
 *
 * Each works on a file that was found in a queue, by name or by a scan, and says whether there was
 * something to do. The queue manager may take the file away at any instant: a file that is gone is
 * nothing to do.
 * Source: Postfix 3.7 postsuper(1).
 */
/* eslint-disable n/no-sync -- a command that has nothing else to do */
import { log } from '@posthorn/log/log'
import { findQueueId, type QueueId } from '@posthorn/queue/queue-id'
import { MESSAGE_LOGS, type MessageQueue, type QueueLayout } from '@posthorn/queue/queue-layout'
import { removeMessageLog } from '@posthorn/queue/message-log'
import { isForceExpired, isReady, MODE_EXPIRE } from '@posthorn/queue/queue-mode'
import { hasCode, removeFile, renameInto } from '@posthorn/queue/queue-move'
import { chmodSync, lstatSync, utimesSync, type Stats } from 'node:fs'
import { attempt } from './operation-error.ts'
import type { MessageAction } from './postsuper-options.ts'

/** Where an action looks for messages. */
export const ACTION_QUEUES: Readonly<Record<MessageAction, readonly MessageQueue[]>> = {
  delete: ['maildrop', 'incoming', 'active', 'deferred', 'hold'],
  expire: ['incoming', 'active', 'deferred', 'hold'],
  hold: ['incoming', 'active', 'deferred'],
  release: ['hold'],
  requeue: ['incoming', 'active', 'deferred', 'hold'],
}

/** Log line per message, and summary. */
export const ACTION_TEXTS: Readonly<Record<MessageAction, readonly [string, string]>> = {
  delete: ['removed', 'Deleted'],
  expire: ['expired', 'Force-expired'],
  hold: ['placed on hold', 'Placed on hold'],
  release: ['released from hold', 'Released from hold'],
  requeue: ['requeued', 'Requeued'],
}

/** Undefined: there is no such file. Symbolic links are not followed. */
export function findStat(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined
    throw error
  }
}

/** By queue id: only complete messages. True when the action was done. */
export function actOnMessage(
  layout: QueueLayout,
  action: MessageAction,
  queues: readonly MessageQueue[],
  id: QueueId,
): boolean {
  for (const queue of queues) {
    if (!ACTION_QUEUES[action].includes(queue)) continue
    const path = layout.path(queue, id)
    const stat = findStat(path)
    if (stat === undefined) continue
    if (!stat.isFile()) log.warning(`${path}: uid ${stat.uid}: not a regular file`)
    if (!stat.isFile() || !isReady(stat.mode)) continue
    if (actOnFile(layout, action, path, id, stat)) return true
  }
  return false
}

/** The file `path`, wherever it was found; its name need not be a good queue id for `delete`. */
export function actOnFile(
  layout: QueueLayout,
  action: MessageAction,
  path: string,
  name: string,
  stat: Stats,
): boolean {
  switch (action) {
    case 'delete':
      removeLogs(layout, name)
      return attempt(`remove file ${path}`, () => removeFile(path))
    case 'expire':
      return expire(path, stat)
    case 'hold':
      return move(path, layout.path('hold', name))
    case 'release':
      return move(path, layout.path('deferred', name))
    case 'requeue':
      // pickup(8) wants a fresh time stamp; the message's own times are in its records.
      if (!move(path, layout.path('maildrop', name))) return false
      touch(layout.path('maildrop', name))
      return true
  }
}

/** Before the message, so that no log survives for the next message of the same id. */
function removeLogs(layout: QueueLayout, message: string): void {
  const id = findQueueId(message)
  if (id === undefined) return
  for (const name of MESSAGE_LOGS) {
    attempt(`remove file ${layout.path(name, id)}`, () => removeMessageLog(layout, name, id))
  }
}

function expire(path: string, stat: Stats): boolean {
  if (!isReady(stat.mode) || isForceExpired(stat.mode)) return false
  return attempt(`chmod file ${path}`, () =>
    unlessGone(() => {
      chmodSync(path, (stat.mode & 0o777) | MODE_EXPIRE)
    }),
  )
}

function move(path: string, target: string): boolean {
  return attempt(`rename file ${path} as ${target}`, () =>
    unlessGone(() => {
      renameInto(path, target)
    }),
  )
}

function touch(path: string): void {
  const now = new Date()
  attempt(`reset time stamps of ${path}`, () =>
    unlessGone(() => {
      utimesSync(path, now, now)
    }),
  )
}

function unlessGone(step: () => void): boolean {
  try {
    step()
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}
