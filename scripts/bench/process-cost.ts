/**
 * process-cost - CPU time and memory of a running mail system, over all its processes
 *
 * master(8) leads a session, and every process of the system belongs to it. A process that ended has left
 * its CPU time with the parent that reaped it, so adding "own" and "children" of the living ones counts all.
 */
import { readFile, readdir } from 'node:fs/promises'

/** Linux reports process times in hundredths of a second, whatever the kernel's own clock is. */
const TICK_US = 10_000

interface ProcessStat {
  readonly pid: number
  readonly session: number
  readonly ticks: number
}

function parseStat(text: string): ProcessStat {
  // The command name is in parentheses and may hold anything, so fields are counted behind the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0)
  return { pid: Number.parseInt(text, 10), session: Number(fields[3]), ticks }
}

async function processesOf(session: number): Promise<ProcessStat[]> {
  const found: ProcessStat[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const text = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => undefined)
    if (text === undefined) continue // ended meanwhile
    const stat = parseStat(text)
    if (stat.session === session) found.push(stat)
  }
  return found
}

/** User and system CPU time of the session so far, in microseconds. */
export async function cpuMicroseconds(session: number): Promise<number> {
  const processes = await processesOf(session)
  return processes.reduce((sum, { ticks }) => sum + ticks, 0) * TICK_US
}

/** Proportional set size of all processes of the session, in bytes, and how many there are. */
export async function memory(session: number): Promise<{ bytes: number; processes: number }> {
  let bytes = 0
  let count = 0
  for (const { pid } of await processesOf(session)) {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1').catch(() => '')
    const pss = /^Pss:\s+(\d+) kB/m.exec(text)
    if (pss === null) continue
    bytes += Number(pss[1]) * 1024
    count += 1
  }
  return { bytes, processes: count }
}
