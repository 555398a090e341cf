/**
 * edit-file - replace a configuration file by an edited copy, one editor at a time
 *
 * The copy is written to <file>.tmp beside it, synced, and renamed: a reader sees the one or the other. The lock on the
 * copy keeps a second postconf(1), ours or Postfix's, waiting; it then finds another file under that name and starts
 * again. The copy is the caller's and has mode 0644, as in Postfix; a symbolic link is replaced by a file.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { ConfigError } from '@posthorn/config/config-error'
import { strerror } from '@posthorn/config/strerror'
import { waitLock } from '@posthorn/native/lock'

/* eslint-disable n/no-sync -- a command that does one thing */

const FILE_MODE = 0o644
const TEMPORARY_MODE = 0o600

/**
 * @param edited makes the new text of the old one
 * @throws {ConfigError} the file cannot be read or replaced, or what `edited` throws; nothing has changed then
 */
export async function editFile(path: string, edited: (source: string) => string): Promise<void> {
  const temporary = `${path}.tmp`
  const fd = await openLocked(temporary)
  let isInPlace = false
  try {
    writeAll(fd, edited(readSource(path)), temporary)
    attempt(`rename ${temporary} to ${path}`, () => {
      renameSync(temporary, path)
    })
    isInPlace = true
  } finally {
    if (!isInPlace) unlinkSync(temporary)
    closeSync(fd)
  }
}

/** An empty file of that name, locked; what an interrupted editor left goes. */
async function openLocked(temporary: string): Promise<number> {
  for (;;) {
    const fd = attempt(`open ${temporary}`, () =>
      openSync(temporary, constants.O_RDWR | constants.O_CREAT, TEMPORARY_MODE),
    )
    try {
      await waitLock(fd, 'exclusive')
      const opened = fstatSync(fd)
      const named = lstatSync(temporary, { throwIfNoEntry: false })
      const isStill = named?.ino === opened.ino && named.dev === opened.dev
      if (isStill && opened.size === 0) return fd
      if (isStill || named?.isSymbolicLink()) unlinkSync(temporary)
    } catch (error) {
      closeSync(fd)
      throw new ConfigError(`lock ${temporary}: ${strerror(error)}`, { cause: error })
    }
    closeSync(fd)
  }
}

function readSource(path: string): string {
  return attempt(`open ${path} for reading`, () => readFileSync(path, 'latin1'))
}

function writeAll(fd: number, text: string, path: string): void {
  const octets = Buffer.from(text, 'latin1')
  attempt(`write ${path}`, () => {
    for (let at = 0; at < octets.length;) at += writeSync(fd, octets, at)
    fchmodSync(fd, FILE_MODE)
    fsyncSync(fd)
  })
}

function attempt<Result>(what: string, action: () => Result): Result {
  try {
    return action()
  } catch (error) {
    throw new ConfigError(`${what}: ${strerror(error)}`, { cause: error })
  }
}
