/**
 * directory-lock - one process at a time works on the results
 *
 * After a reload master(8) may start a process while the one before finishes a delivery. The new one waits until the old one has
 * left, and reads what it wrote. The lock ends with the process.
 */
import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { log } from '@posthorn/log/log'
import { waitLock } from '@posthorn/native/lock'
import { errorReason } from '@posthorn/native/system-error'

/** Longer than a process takes to leave. */
const LOCK_WAIT_MS = 60_000

/**
 * Makes the directory, if need be. Undefined, with a warning: that is not possible, so there is nothing to protect.
 *
 * @throws {Error} somebody else does not leave
 */
export async function lockDirectory(
  directory: string,
  waitMs = LOCK_WAIT_MS,
): Promise<FileHandle | undefined> {
  let file: FileHandle
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    file = await open(`${directory}/lock`, 'a', 0o600)
  } catch (error) {
    log.warning(`TLSRPT: ${directory}: ${errorReason(error)}`)
    return undefined
  }
  try {
    await waitLock(file.fd, 'exclusive', AbortSignal.timeout(waitMs))
  } catch (cause) {
    await file.close()
    throw new Error(`Cannot lock "${directory}": another process works there`, { cause })
  }
  return file
}
