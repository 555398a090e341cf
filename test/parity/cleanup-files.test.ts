/**
 * cleanup-files - where queue files lie and what they are called, with hashed directories and long queue ids
 *
 * The tools of the other system find the messages by their ids, and see nothing to mend. Needs root and Postfix 3.7.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CLEANUP_FLAGS, openCleanup } from '@posthorn/wire/cleanup-protocol'
import { execa } from 'execa'
import t from 'tap'
import { ROOT, type Instance, type System } from '../../scripts/instance.ts'
import { SYSTEMS, startSystem } from './both-systems.ts'
import { MAIL, streamOf } from './cleanup-cases.ts'

const COMMANDS: Record<System, string> = {
  postfix: '/usr/sbin',
  posthorn: join(ROOT, 'build/sbin'),
}
const MESSAGES = 5

async function submit(instance: Instance, flags: number): Promise<string> {
  const path = join(instance.queueDirectory, 'public/cleanup')
  const session = await openCleanup(path, { flags, timeoutMs: 20_000 })
  session.send(Buffer.from(streamOf({ name: '' }), 'latin1'))
  const { status } = await session.finish()
  if (status !== 0) throw new Error(`Cannot submit: status ${status}`)
  return session.queueId
}

async function tool(instance: Instance, path: string, args: readonly string[]): Promise<string> {
  const result = await execa(path, ['-c', instance.configDirectory, ...args], { reject: false })
  return `${result.stdout}\n${result.stderr}`
}

t.setTimeout(120_000)
for (const system of SYSTEMS) {
  for (const isLong of ['no', 'yes']) {
    t.test(`files of ${system}, enable_long_queue_ids = ${isLong}`, async (t) => {
      const instance = await startSystem(t, system, {
        main: {
          enable_long_queue_ids: isLong,
          hash_queue_names: 'incoming, hold, deferred',
          hash_queue_depth: '2',
          queue_service_name: 'showq',
        },
        master: ['qmgr unix n - n 0 1 qmgr'],
      })
      const other = COMMANDS[system === 'postfix' ? 'posthorn' : 'postfix']
      const { queueDirectory } = instance
      for (let count = 0; count < MESSAGES; count++) {
        for (const flags of [MAIL, MAIL | CLEANUP_FLAGS.hold]) {
          const queue = flags === MAIL ? 'incoming' : 'hold'
          const id = await submit(instance, flags)
          const paths = await readdir(join(queueDirectory, queue), { recursive: true })
          const path = paths.find((name) => name.endsWith(`/${id}`)) ?? ''
          t.match(path, /^[0-9A-F]\/[0-9A-F]\/\w+$/, 'two levels of directories')
          const { mode } = await stat(join(queueDirectory, queue, path))
          t.equal(mode & 0o7777, 0o700, 'the file is complete')
          t.match(await tool(instance, join(other, 'postcat'), ['-q', id]), 'Subject: s')
        }
      }
      const before = await instance.queued('incoming', 'hold')
      const said = await tool(instance, join(other, 'postsuper'), ['-s'])
      t.notMatch(said, /Renamed|MATCH/, 'names fit inodes')
      t.same(await instance.queued('incoming', 'hold'), before)
      t.equal(before.length, 2 * MESSAGES)
    })
  }
}
