/**
 * seekable-input - standard input as a file that can be read in any order
 *
 * Queue files have pointers. Postfix's postcat(1) gives up on a pipe at the first one, and at the end
 * record; ours puts what comes out of a pipe into a nameless temporary file first.
 */
/* eslint-disable n/no-sync -- a command that has nothing else to do */
import { fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** A descriptor that the caller closes. */
export async function seekableInput(): Promise<number> {
  if (fstatSync(0).isFile()) return 0
  const directory = mkdtempSync(join(tmpdir(), 'postcat-'))
  try {
    const path = join(directory, 'stdin')
    const copy = await open(path, 'wx', 0o600)
    await pipeline(process.stdin, copy.createWriteStream())
    return openSync(path, 'r')
  } finally {
    rmSync(directory, { recursive: true })
  }
}
