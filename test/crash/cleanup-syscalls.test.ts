/**
 * cleanup-syscalls - cleanup(8) is killed at each system call that brings a message into the queue
 *
 *     open  ->  rename to the queue id  ->  pwritev  ->  fchmod (complete)  ->  fsync  ->  "queued" is said
 *
 * strace(1) kills it there. Before fchmod the message must not exist for anybody; from then on it may be delivered, whole
 * and once; and a client hears that it was queued only after fsync.
 */
import { chmod, rename, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openCleanup } from '@posthorn/wire/cleanup-protocol'
import t from 'tap'
import { ROOT } from '../../scripts/instance.ts'
import { CrashSite, FLAGS, messageSteps } from './crash-site.ts'

const STEPS = ['rename', 'pwritev', 'fchmod', 'fsync'] as const
const PROGRAM = join(ROOT, 'build/libexec/cleanup')

async function install(site: CrashSite, call: string | undefined): Promise<void> {
  const path = join(site.instance.directory, 'libexec/cleanup')
  if (call === undefined) {
    await unlink(path)
    await symlink(PROGRAM, path)
  } else {
    const kill = `-e inject=${call}:signal=KILL:when=1`
    const trace = `exec strace -D -f -qq -o /dev/null -e trace=${call} ${kill}`
    await writeFile(`${path}.new`, `#!/bin/sh\n${trace} ${PROGRAM} "$@"\n`)
    await chmod(`${path}.new`, 0o755)
    await rename(`${path}.new`, path)
  }
  await site.killCleanup()
}

/** @returns whether the client heard that the message was queued */
async function submit(site: CrashSite, number: string): Promise<boolean> {
  const options = { flags: FLAGS, timeoutMs: 20_000 }
  const session = await openCleanup(site.cleanupPath, options).catch(() => undefined)
  if (session === undefined) return false
  for (const step of messageSteps(number)) session.send(step)
  return (await session.finish()).status === 0
}

t.setTimeout(120_000)
t.test('cleanup(8) is killed at a system call', async (t) => {
  const site = await CrashSite.start(t, 'posthorn')
  t.equal(await submit(site, 'first'), true, 'queued before')
  for (const call of STEPS) {
    await install(site, call)
    t.equal(await submit(site, call), false, `nobody hears of a message killed at ${call}`)
    await site.killCleanup()
  }
  await install(site, undefined)
  t.equal(await submit(site, 'last'), true, 'queued afterwards')
  await site.sink.waitForMessages(2)
  await site.quiet()
  const delivered = site.delivered()
  for (const number of ['first', 'last']) t.equal(delivered.get(number), 1, number)
  for (const call of ['rename', 'pwritev']) t.notOk(delivered.has(call), `not after ${call}`)
  t.equal(delivered.get('fsync'), 1, 'complete, though nobody heard of it')
  t.ok(
    [...delivered.values()].every((count) => count === 1),
    'nothing twice',
  )
})
