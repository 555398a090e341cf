/**
 * alias-files - the :include: files of aliases and the .forward files of users
 *
 * What is wrong with one is said in the log. A .forward file that must not be read counts as one that says nothing;
 * without an :include: file the alias is a mistake. Source: Postfix 3.7 local(8), aliases(5).
 */
import { lstatSync } from 'node:fs'
import type { RelayedStatus } from '@posthorn/delivery/delivery-status'
import { log } from '@posthorn/log/log'
import { errorCode, errorReason } from '@posthorn/native/system-error'
import type { UserEntry } from '@posthorn/native/user'
import { readTrustedFile } from './read-trusted-file.ts'

export type AliasFile =
  | { readonly kind: 'read'; readonly text: string; readonly ownerId: number }
  /** There is no such file. */
  | { readonly kind: 'absent' }
  /** The class of the status code says whether there is another try. */
  | { readonly kind: 'failed'; readonly status: Omit<RelayedStatus, 'relay'> }

const misconfigured = { dsn: '5.3.5', reason: 'mail system configuration error' }

/** @param reader the user in whose .forward file it is named; undefined: an alias of the system */
export async function readIncludeFile(
  path: string,
  reader: UserEntry | undefined,
): Promise<Exclude<AliasFile, { kind: 'absent' }>> {
  if (!path.startsWith('/')) {
    log.warning(`:include:${path} uses a relative path`)
    return { kind: 'failed', status: misconfigured }
  }
  try {
    const file = await readTrustedFile(path, { reader: reader?.uid, mustBeOwn: false })
    if (file.kind === 'read') return file
    log.warning(`:include: file ${path} ${file.fault}`)
    return { kind: 'failed', status: misconfigured }
  } catch (error) {
    const code = errorCode(error)
    const what = code === 'EACCES' ? 'open' : 'lookup'
    log.warning(`unable to ${what} :include: file ${path}: ${errorReason(error)}`)
    const dsn = code === 'ENOENT' ? misconfigured.dsn : '4.3.5'
    return { kind: 'failed', status: { ...misconfigured, dsn } }
  }
}

export async function readForwardFile(path: string, user: UserEntry): Promise<AliasFile> {
  try {
    // eslint-disable-next-line n/no-sync -- mostly there is none: cached metadata, 6 us (docs/performance.md 7)
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return { kind: 'absent' }
    const file = await readTrustedFile(path, { reader: user.uid, mustBeOwn: true })
    if (file.kind === 'read') return file
    log.warning(`file ${path} ${file.fault}`)
  } catch (error) {
    switch (errorCode(error)) {
      case 'ENOENT':
      case 'ENOTDIR':
        return { kind: 'absent' }
      case 'ELOOP':
        log.warning(`file ${path} is not a regular file`)
        break
      case 'EACCES':
        log.warning(`cannot open file ${path}: ${errorReason(error)}`)
        break
      default: {
        const reason = `cannot look for file ${path}: ${errorReason(error)}`
        return { kind: 'failed', status: { dsn: '4.3.0', reason } }
      }
    }
  }
  return { kind: 'read', text: '', ownerId: user.uid }
}
