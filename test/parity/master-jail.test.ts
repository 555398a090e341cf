/**
 * master-jail - what a daemon gives up at start: user, groups, the file system; the same in both systems
 *
 * Needs root and Postfix 3.7.
 */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { connectStream } from '@posthorn/stream/byte-stream'
import { waitFor } from '@posthorn/testing/wait-for'
import { onBoth } from './both-systems.ts'
import type { Instance } from '../../scripts/instance.ts'

const SERVICES = {
  jailed: 'scache unix - - y - 1 scache',
  plain: 'anvil unix - - n - 1 anvil',
  privileged: 'showq unix n n n - - showq',
} as const

/** The process of a service: master's child whose executable, or the program that its interpreter runs, has this name. */
async function findProcess(instance: Instance, master: number, program: string): Promise<number> {
  const found = async (): Promise<number | undefined> => {
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '')
      if (Number(stat.split(') ').at(-1)?.split(' ')[1]) !== master) continue
      const command = await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '')
      const words = command.split('\0').map((word) => word.replace(/^.*\//, ''))
      if (words.find((word) => !/^(?:node$|--)/.test(word)) === program) return Number(name)
    }
    return undefined
  }
  let pid: number | undefined
  await waitFor(async () => (pid = await found()) !== undefined, program)
  return pid ?? 0
}

async function identityOf(instance: Instance, pid: number): Promise<unknown> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1')
  const line = (name: string): string =>
    new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? ''
  const below = (path: string): string => path.replace(instance.queueDirectory, 'QUEUE')
  return {
    uid: line('Uid'),
    gid: line('Gid'),
    groups: line('Groups').trim(),
    umask: line('Umask'),
    root: below(await readlink(`/proc/${pid}/root`)),
    directory: below(await readlink(`/proc/${pid}/cwd`)),
  }
}

t.test('a daemon gives up what its line in master.cf says', async (t) => {
  const results = await onBoth(t, { master: Object.values(SERVICES) }, async (instance) => {
    const master = await instance.masterPid()
    const seen: Record<string, unknown> = {}
    for (const [kind, line] of Object.entries(SERVICES)) {
      const [service = '', , isPrivate] = line.split(' ')
      const path = join(instance.queueDirectory, isPrivate === 'n' ? 'public' : 'private', service)
      const client = await connectStream({ family: 'unix', path }, { timeoutMs: 10_000 })
      try {
        await client.fill() // it announces itself when it has become what it is to be
        seen[kind] = await identityOf(instance, await findProcess(instance, master, service))
      } finally {
        client.close()
      }
    }
    return seen
  })
  t.same(results.posthorn, results.postfix)
  t.match(results.posthorn, { jailed: { root: 'QUEUE' }, plain: { root: '/' } })
})
