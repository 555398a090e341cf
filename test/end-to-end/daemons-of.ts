/**
 * daemons-of - the processes that master(8) of an instance has started
 */
import { readdir, readFile } from 'node:fs/promises'

/** Processes of the instance other than master, by program name. */
export async function daemonsOf(master: number): Promise<{ pid: number; name: string }[]> {
  const found: { pid: number; name: string }[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry) || Number(entry) === master) continue
    const stat = await readFile(`/proc/${entry}/stat`, 'latin1').catch(() => '')
    const session = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3])
    if (session !== master) continue
    const command = await readFile(`/proc/${entry}/cmdline`, 'latin1').catch(() => '')
    found.push({ pid: Number(entry), name: command.replaceAll('\0', ' ').trim() })
  }
  return found
}
