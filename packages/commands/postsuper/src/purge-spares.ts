/**
 * purge-spares - removes the files that a crash of cleanup(8) or qmgr(8) left beside the spare ones
 *
 * A spare file has a number for its name and stays; `<name>.<pid>` is in the hands of a process, for seconds.
 */
/* eslint-disable n/no-sync -- a command that has nothing else to do */
import { readdirSync } from 'node:fs'
import { removeFile } from '@posthorn/queue/queue-move'
import { SPARE_DIRECTORY } from '@posthorn/queue/spare-files'
import { findStat } from './message-actions.ts'
import { attempt } from './operation-error.ts'
import { STALE_MS } from './queue-pass.ts'

export function purgeSpares(): void {
  if (findStat(SPARE_DIRECTORY)?.isDirectory() !== true) return
  for (const name of readdirSync(SPARE_DIRECTORY)) {
    const path = `${SPARE_DIRECTORY}/${name}`
    const stat = findStat(path)
    if (!name.includes('.') || stat === undefined || Date.now() - stat.mtimeMs <= STALE_MS) continue
    attempt(`remove file ${path}`, () => removeFile(path))
  }
}
