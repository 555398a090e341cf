/**
 * process-cost - CPU time of a running mail system, over all its processes
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

/** Every process of the session that lives now. */
export async function processesOf(session: number): Promise<ProcessStat[]> {
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
