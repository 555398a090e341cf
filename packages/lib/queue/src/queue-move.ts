/**
 * queue-move - taking a message from one queue to the next
 *
 * A message is in exactly one queue at any instant: a move is one rename(2). Missing hash
 * directories are made on the way. Synchronous: 9 to 11 us (docs/performance.md 7).
 */
/* eslint-disable n/no-sync -- cached metadata only */
import { existsSync, mkdirSync, renameSync, unlinkSync, utimesSync } from 'node:fs'
import { dirname } from 'node:path'
import type { QueueId } from './queue-id.ts'
import type { QueueLayout, QueueName } from './queue-layout.ts'

/** @throws Error with `code` ENOENT: the file is not (or no longer) where it should be */
export function moveQueueFile(
  layout: QueueLayout,
  from: QueueName,
  to: QueueName,
  id: QueueId,
): void {
  renameInto(layout.path(from, id), layout.path(to, id))
}

/** rename(2) that makes the target's directory and believes what it sees rather than what it is told. */
export function renameInto(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    if (!existsSync(from)) {
      // NFS: the reply to a rename that was done can get lost, and its repetition fails.
      if (existsSync(to)) return
      throw error
    }
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 })
    renameSync(from, to)
  }
}

/** Access and modification time, the only clock of retries. Whole seconds, as Postfix has them. */
export function setRetryTime(path: string, seconds: number): void {
  utimesSync(path, seconds, seconds)
}

/** False when the file was gone already. */
export function removeFile(path: string): boolean {
  try {
    unlinkSync(path)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/** An error of a system call with this code ("ENOENT"). */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
