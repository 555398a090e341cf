import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { waitFor } from '@posthorn/testing/wait-for'
import { createSite } from './test/master-site.ts'

function isRunning(pid: number): boolean {
  try {
    // an orphan stays as a zombie until process 1 looks
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ')
  } catch {
    return false
  }
}

t.test('a reload keeps listeners, replaces processes, adds and removes services', async (t) => {
  const site = createSite(t)
  site.configure([
    'one unix - - n - - probe single',
    'gone unix - - n - - probe single',
    'idle unix - - n - - probe single',
  ])
  const master = await site.start()
  const inode = statSync(join(site.queue, 'private/one')).ino
  const busy = await site.client('private/one')
  const gone = await site.client('private/gone')
  const idle = await site.client('private/idle')
  idle.stream.close()
  site.configure([
    'one unix - - n - 5 other changed single',
    'idle unix - - n - - probe single',
    'new unix - - n - - probe single',
  ])
  master.kill('SIGHUP')
  await waitFor(() => site.log().includes('reload -- version'), 'the reload')
  await waitFor(() => existsSync(join(site.queue, 'private/new')), 'the new socket')
  const fresh = await site.client('private/new')
  t.ok(fresh.pid > 0)
  await waitFor(() => !isRunning(gone.pid), 'the end of a service that is gone')
  await waitFor(() => !isRunning(idle.pid), 'the end of an idle process')
  t.equal(await gone.stream.fill(), false)
  t.notMatch(site.log(), 'killed by signal', 'nobody is told what master did itself')
  t.ok(isRunning(busy.pid), 'busy processes finish their client')
  const next = await site.client('private/one')
  t.same(site.reports().find(({ pid }) => pid === next.pid)?.name, 'other')
  t.equal(statSync(join(site.queue, 'private/one')).ino, inode)
  busy.stream.close()
  await waitFor(() => !isRunning(busy.pid), 'the end of the busy process')

  site.configure(['one unix - - n'])
  master.kill('SIGHUP')
  await waitFor(() => site.log().includes('keeping the configuration of before'), 'the refusal')
  t.match(site.log(), /warning: .*master\.cf: line 1: missing "wakeup_time" field/)
  t.ok((await site.client('private/new')).pid > 0)
})

t.test('reloads in a storm neither leak descriptors nor lose a client', async (t) => {
  const site = createSite(t)
  const file = join(site.directory, 'log')
  site.configure(
    ['one unix - - n - - probe single', 'postlog unix-dgram n - n - 1 probe single'],
    [`maillog_file = ${file}`, 'maillog_file_prefixes = /'],
  )
  const master = await site.start()
  const busy = await site.client('private/one')
  const openCount = (): number => readdirSync(`/proc/${master.pid ?? 0}/fd`).length
  const reloaded = (): number => site.log().split('reload -- version').length - 1
  const before = openCount()
  for (let i = 0; i < 50; i++) {
    master.kill('SIGHUP')
    await new Promise(setImmediate)
  }
  const count = reloaded()
  master.kill('SIGHUP')
  await waitFor(() => reloaded() > count, 'the last reload')
  t.ok(reloaded() <= 52)
  await waitFor(() => openCount() <= before, 'as many descriptors as before')
  t.ok(isRunning(busy.pid))
  t.ok((await site.client('private/one')).pid > 0)
})
