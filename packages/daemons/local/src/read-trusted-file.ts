/**
 * read-trusted-file - reads a .forward or :include: file with root's rights, but no more than its owner could
 *
 * The file is opened without waiting for anybody, and checked when it is open: a regular file, not writable by
 * everybody; for a user, the user's own, or one that everybody may read. So a user gains nothing by putting something
 * else in its place. A .forward file must be the user's or root's, and no link.
 *
 * Limits: a file of more than 1 MB is not read.
 */
import { constants, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'
import { SystemError } from '@posthorn/native/system-error'

const sizeLimitBytes = 1024 * 1024
const EACCES = 13

export type TrustedFile =
  | { readonly kind: 'read'; readonly text: string; readonly ownerId: number }
  /** Not to be read; what about it, for the log: `is world writable`. */
  | { readonly kind: 'refused'; readonly fault: string }

export interface ReadOptions {
  /** For whom it is read; undefined: for the system. */
  readonly reader: number | undefined
  /** It must be the reader's or root's, and no link. */
  readonly mustBeOwn: boolean
}

/** @throws system errors of open(2) and read(2) */
export async function readTrustedFile(path: string, options: ReadOptions): Promise<TrustedFile> {
  const { reader, mustBeOwn } = options
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY
  const file = await open(path, mustBeOwn ? flags | constants.O_NOFOLLOW : flags)
  try {
    const stats = await file.stat()
    const fault = findFault(stats, options)
    if (fault !== undefined) return { kind: 'refused', fault }
    if (reader !== undefined && (stats.mode & (stats.uid === reader ? 0o400 : 0o004)) === 0) {
      throw new SystemError('open', EACCES)
    }
    return { kind: 'read', text: await file.readFile('latin1'), ownerId: stats.uid }
  } finally {
    await file.close()
  }
}

function findFault(stats: Stats, { reader, mustBeOwn }: ReadOptions): string | undefined {
  if (!stats.isFile()) return 'is not a regular file'
  if (mustBeOwn && stats.uid !== reader && stats.uid !== 0) return `has bad owner uid ${stats.uid}`
  if ((stats.mode & 0o002) !== 0) return 'is world writable'
  return stats.size > sizeLimitBytes ? `has ${stats.size} octets, which is too much` : undefined
}
