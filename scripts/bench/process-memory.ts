/**
 * process-memory - memory of a running mail system over all its processes, as if it were alone in the machine
 *
 * The proportional set size (PSS) of /proc/PID/smaps_rollup divides a page by all processes that map it, also those
 * that are not of the system: while a test, or this benchmark, runs the same Node, ours would seem 10 to 15 MB
 * smaller. So memory without a file is taken from there, and each page of a file counts once. Needs root.
 */
import { open, readFile } from 'node:fs/promises'
import { processesOf } from './process-cost.ts'

export interface Memory {
  readonly bytes: number
  readonly processes: number
}

const PAGE_BYTES = 4096
const ENTRY_OCTETS = 8
// In the upper half of an entry of /proc/PID/pagemap: bits 63 and 61, see proc(5).
const IS_PRESENT = 0x8000_0000
const IS_FILE = 0x2000_0000

/** Start and end address, offset in the file, device and inode. */
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) (\S+ [1-9]\d*)/gm

/** Adds the pages of files that the process has in memory, as `device inode page`. */
async function addFilePages(pid: number, pages: Set<string>): Promise<void> {
  const maps = await readFile(`/proc/${pid}/maps`, 'latin1')
  const pagemap = await open(`/proc/${pid}/pagemap`)
  try {
    for (const [, start = '', end = '', offset = '', file = ''] of maps.matchAll(MAPPING)) {
      const [first, after, inFile] = [start, end, offset].map(
        (digits) => Number.parseInt(digits, 16) / PAGE_BYTES,
      ) as [number, number, number]
      const entries = Buffer.alloc((after - first) * ENTRY_OCTETS)
      const { bytesRead } = await pagemap.read(entries, 0, entries.length, first * ENTRY_OCTETS)
      for (let at = 0; at + ENTRY_OCTETS <= bytesRead; at += ENTRY_OCTETS) {
        const flags = entries.readUInt32LE(at + 4)
        if ((flags & IS_PRESENT) !== 0 && (flags & IS_FILE) !== 0) {
          pages.add(`${file} ${inFile + at / ENTRY_OCTETS}`)
        }
      }
    }
  } finally {
    await pagemap.close()
  }
}

/** Memory of all processes of the session that master(8) leads, and how many there are. */
export async function memory(session: number): Promise<Memory> {
  const pages = new Set<string>()
  let kilobytes = 0
  let processes = 0
  for (const { pid } of await processesOf(session)) {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1').catch(() => '')
    if (text === '') continue // ended meanwhile
    for (const [, size] of text.matchAll(/^Pss_(?:Anon|Shmem):\s+(\d+) kB/gm)) {
      kilobytes += Number(size)
    }
    await addFilePages(pid, pages)
    processes += 1
  }
  return { bytes: kilobytes * 1024 + pages.size * PAGE_BYTES, processes }
}
