/**
 * spare - queue files that are used again, and files made ahead, in jobs of a thread
 *
 * Creating a file is not cheap everywhere: ext4 passes over every inode that was freed in the last minutes, 0.2 to 0.9 ms
 * of CPU on a busy queue, and waits for a journal commit that another message's fsync began.
 */
import { native } from './load.ts'
import { SystemError } from './system-error.ts'

export interface PreparedFile {
  readonly path: string
  readonly fd: number
  readonly inode: number
}

/**
 * Removes a file: it goes to `parked`, is emptied, and then to `slot`, where prepareFiles() finds it. One that somebody
 * has locked, that has another name or another owner, and every file when `parked` cannot be or is '', is unlinked instead.
 *
 * @throws {SystemError} it could not be removed; ENOENT: it was gone
 */
export async function retireFile(path: string, parked: string, slot: string): Promise<void> {
  const result = await native.retireFile(path, parked, slot)
  if (result !== undefined) throw new SystemError(result[1], result[0])
}

/** A directory of spare files `0` to `count - 1`, and where in it to look next. */
export interface SpareRing {
  readonly directory: string
  readonly count: number
  next: number
}

/**
 * New, empty, open files of mode 0600: spare ones as long as they are easily found, then created ones. Those that cannot
 * be had are left out.
 */
export async function prepareFiles(
  ring: SpareRing,
  paths: readonly string[],
): Promise<PreparedFile[]> {
  const { directory, count } = ring
  const [next = 0, ...found] = await native.prepareFiles(directory, ring.next, count, paths)
  ring.next = next
  return paths.flatMap((path, at) => {
    const fd = found[2 * at] ?? -1
    return fd < 0 ? [] : { path, fd, inode: found[2 * at + 1] ?? 0 }
  })
}
