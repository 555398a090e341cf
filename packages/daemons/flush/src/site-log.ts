/**
 * site-log - which deferred messages wait for a destination: flush/NAME
 *
 * One queue id per line, appended under an exclusive lock, in no order and perhaps more than once. The log is only a
 * hint: messages that were delivered meanwhile stay in it until it is emptied, and losing it costs a site
 * nothing but time. So it is not fsync'ed.
 *
 * Limits: at most 10 000 messages are remembered while a log is read, so that none is sent twice; those after them are
 * sent however often they stand there. Nothing that stands in the log is left out when it is emptied.
 * Source: Postfix 3.7 flush(8).
 */
import { closeSync, constants, mkdirSync, openSync, writeSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { domainToASCII } from 'node:url'
import { waitLock } from '@posthorn/native/lock'
import { log } from '@posthorn/log/log'
import { findQueueId, type QueueId } from '@posthorn/queue/queue-id'
import type { QueueLayout } from '@posthorn/queue/queue-layout'
import { hasCode } from '@posthorn/queue/queue-move'

const rememberedIds = 10_000
const readOctets = 65_536

/** The file name for a destination: `[127.0.0.1]` is `_127_0_0_1_`. */
export function siteLogName(site: string): string {
  const ascii = /[\x80-\xff]/.test(site)
    ? domainToASCII(Buffer.from(site, 'latin1').toString('utf8')) || site
    : site
  return ascii.toLowerCase().replace(/[^0-9a-z]/g, '_')
}

/* eslint-disable n/no-sync -- an open, a small append and a close of a cached file: 15 us (docs/performance.md 7) */
/** Appends a queue id. @throws Error of a system call */
export async function appendToSiteLog(
  layout: QueueLayout,
  name: string,
  id: QueueId,
): Promise<void> {
  const fd = openForAppend(layout.path('flush', name))
  try {
    await waitLock(fd, 'exclusive')
    writeSync(fd, `${id}\n`, null, 'latin1')
  } finally {
    closeSync(fd)
  }
}

function openForAppend(path: string): number {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT
  try {
    return openSync(path, flags, 0o600)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return openSync(path, flags, 0o600)
  }
}
/* eslint-enable n/no-sync */

/**
 * Gives the messages of a log to `send` and empties it, all under the lock. A log that does not exist is empty.
 *
 * @throws Error of a system call; then the log is as it was
 */
export async function emptySiteLog(
  path: string,
  send: (ids: AsyncIterable<QueueId>) => Promise<void>,
): Promise<void> {
  let file: FileHandle
  try {
    file = await open(path, 'r+')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  try {
    await waitLock(file.fd, 'exclusive')
    await send(readIds(file, path))
    if ((await file.stat()).size > 0) await file.truncate()
    const now = new Date()
    await file.utimes(now, now)
  } finally {
    await file.close()
  }
}

async function* readIds(file: FileHandle, path: string): AsyncGenerator<QueueId> {
  const seen = new Set<QueueId>()
  const buffer = Buffer.allocUnsafe(readOctets)
  let rest = ''
  let position = 0
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, readOctets, position)
    position += bytesRead
    const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n')
    // an unfinished line waits for more; at the end it counts
    rest = bytesRead === 0 ? '' : (lines.pop() ?? '').slice(0, readOctets)
    for (const line of lines) {
      if (line === '') continue
      const id = findQueueId(line)
      if (id === undefined) {
        log.warning(`bad queue id "${line.slice(0, 30)}..." in fast flush logfile ${path}`)
        continue
      }
      if (seen.has(id)) continue
      if (seen.size < rememberedIds) seen.add(id)
      yield id
    }
    if (bytesRead === 0) return
  }
}
