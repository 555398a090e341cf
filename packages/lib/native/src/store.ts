/**
 * store - makes octets durable in one job of a thread
 *
 * Write, give the file its name, set the permission bits that say "complete", fsync, close: in this order. The threads are our
 * own (16, started on demand), so many stores wait for the disk together and share journal commits.
 *
 * Cost: 53-56 us of CPU and one disk flush (docs/performance.md 6).
 */
import { native } from './load.ts'
import { SystemError } from './system-error.ts'

export interface StoreJob {
  readonly fd: number
  /** Written in this order; parts that follow each other in the file go out together. Leave a Buffer alone until done. */
  readonly parts: readonly { readonly position: number; readonly octets: Buffer | string }[]
  /** Moves the file; then it is dated now should a file server have dated it into the future. */
  readonly rename?: { readonly from: string; readonly to: string }
  /** Permission bits to set after writing; undefined leaves them. */
  readonly mode?: number
  readonly fsync: boolean
  /** Close the descriptor at the end, and also when something failed. */
  readonly close: boolean
}

/** Resolves when everything is on the disk. @throws {SystemError} the first failure: pwritev, rename, fchmod, fsync or close */
export async function storeFile(job: StoreJob): Promise<void> {
  const parts = job.parts.flatMap((part) => [part.position, part.octets])
  const { fd, rename, mode = -1, fsync, close } = job
  const { from, to } = rename ?? { from: '', to: '' }
  const result = await native.storeFile(fd, parts, from, to, mode, fsync, close)
  if (result !== undefined) throw new SystemError(result[1], result[0])
}
