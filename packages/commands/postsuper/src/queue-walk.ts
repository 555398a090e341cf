/**
 * queue-walk - visits every file of a queue and clears away directories that have no place there
 *
 * One-character directories are hash directories: those deeper than wanted go away once they are
 * empty. Other directories never belong into a queue. Files that are renamed during the walk may be
 * visited again.
 */
/* eslint-disable n/no-sync -- a command that has nothing else to do */
import { errorReason } from '@posthorn/native/system-error'
import { log } from '@posthorn/log/log'
import type { QueueLayout, QueueName } from '@posthorn/queue/queue-layout'
import { hasCode } from '@posthorn/queue/queue-move'
import { opendirSync, rmdirSync, type Dir, type Stats } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { findStat } from './message-actions.ts'
import { attempt } from './operation-error.ts'

/** Signals are looked at after so many files. */
const FILES_PER_TURN = 200

export interface WalkedFile {
  readonly queue: QueueName
  readonly name: string
  readonly path: string
  readonly stat: Stats
}

/** @param isRepair a hash directory too deep that cannot be removed is an error */
export async function* walkQueue(
  layout: QueueLayout,
  queue: QueueName,
  isRepair: boolean,
): AsyncGenerator<WalkedFile, void, undefined> {
  const wantedDepth = layout.depth(queue)
  let visited = 0
  // The directories that we are in; the last one is being read.
  const open: { path: string; directory: Dir }[] = []
  const enter = (path: string): void => {
    const directory = attempt(`scan_dir_push: open directory ${path}`, () => opendirSync(path))
    open.push({ path, directory })
  }
  enter(queue)
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const entry = top.directory.readSync()
    if (entry === null) {
      top.directory.closeSync()
      open.pop()
      if (open.length > wantedDepth) removeHashDirectory(top.path, isRepair)
      continue
    }
    const path = `${top.path}/${entry.name}`
    const stat = findStat(path)
    if (stat === undefined) continue
    if (!stat.isDirectory()) yield { queue, name: entry.name, path, stat }
    else if (entry.name.length === 1) enter(path)
    else removeAlienDirectory(path)
    visited += 1
    if (visited % FILES_PER_TURN === 0) await nextTurn()
  }
}

function removeHashDirectory(path: string, isRepair: boolean): void {
  if (isRepair) {
    attempt(`remove directory ${path}`, () => {
      rmdirSync(path)
    })
    return
  }
  try {
    rmdirSync(path)
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY') && !hasCode(error, 'ENOENT')) throw error
  }
}

function removeAlienDirectory(path: string): void {
  try {
    rmdirSync(path)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) log.warning(`remove subdirectory ${path}: ${errorReason(error)}`)
  }
}
