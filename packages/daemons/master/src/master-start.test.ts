import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
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

t.test('sockets, locks, and one master per queue', async (t) => {
  const site = createSite(t)
  site.configure([
    'one unix - - n - 1 probe single',
    'two fifo n - n - 1 probe fifo',
    'three unix-dgram n - n - 1 probe single',
    'four pass - - n - 2 probe single',
  ])
  t.equal((await site.run(['-t'])).status, 0)
  const master = await site.start()
  const modeOf = (path: string): number => statSync(join(site.queue, path)).mode & 0o777
  t.equal(modeOf('private/one'), 0o666)
  t.equal(modeOf('public/two'), 0o622)
  t.equal(modeOf('public/three'), 0o666)
  t.ok(statSync(join(site.queue, 'private/four')).isSocket())
  const lock = readFileSync(join(site.queue, 'pid/master.pid'), 'latin1')
  t.equal(lock, `${String(master.pid).padStart(32)}\n`)
  t.equal(readFileSync(join(site.directory, 'data/master.lock'), 'latin1'), lock)
  t.equal((await site.run(['-t'])).status, 1)
  const second = await site.run(['-d'])
  t.equal(second.status, 1)
  t.match(
    second.output,
    'fatal: open lock file pid/master.pid: unable to set exclusive lock: Resource temporarily unavailable',
  )
  t.match((await site.run(['-x'])).output, 'fatal: usage: master')
  t.match((await site.run(['-i'])).output, 'fatal: -i is allowed only for PID 1 process')
  t.same(site.reports(), [], 'nobody came: no process')
  master.kill('SIGTERM')
  t.same(await once(master, 'exit'), [null, 'SIGTERM'])
  t.match(site.log(), 'terminating on signal 15')
  t.equal((await site.run(['-t'])).status, 0)
})

t.test('when master is killed, idle processes leave and busy ones finish', async (t) => {
  const site = createSite(t)
  site.configure(['one unix - - n - - probe single', 'two unix - - n - - probe share'])
  const master = await site.start()
  const busy = await site.client('private/one')
  const idle = await site.client('private/two')
  idle.stream.close()
  master.kill('SIGKILL')
  await waitFor(() => !isRunning(idle.pid), 'the end of the idle process')
  t.ok(isRunning(busy.pid))
  busy.stream.close()
  await waitFor(() => !isRunning(busy.pid), 'the end of the busy process')
})

t.test('-w waits, and TERM takes the process group along', async (t) => {
  const site = createSite(t)
  site.configure(['one unix - - n - - probe single'])
  t.equal((await site.run(['-w'])).status, 0)
  const pid = Number(readFileSync(join(site.queue, 'pid/master.pid'), 'latin1'))
  t.ok(isRunning(pid))
  const { stream, pid: child } = await site.client('private/one')
  process.kill(pid, 'SIGTERM')
  await waitFor(() => !isRunning(pid) && !isRunning(child), 'the end of all')
  t.equal(await stream.fill(), false)

  site.configure(['one unix - - n - - probe single', 'no such type'])
  const failed = await site.run(['-w'])
  t.equal(failed.status, 1)
  t.match(failed.output, 'fatal: daemon initialization failure -- see logs for details')
})

t.test(
  'what is wrong is in the log, although nobody will ever read the postlog socket',
  async (t) => {
    const site = createSite(t)
    const services = ['postlog unix-dgram n - n - 1 probe single', 'no such type']
    const file = join(site.directory, 'log')
    site.configure(services, [`maillog_file = ${file}`, 'maillog_file_prefixes = /'])
    t.equal((await site.run(['-w'])).status, 1)
    t.match(readFileSync(file, 'latin1'), /master\[\d+\]: fatal: .*master\.cf: line 2: /)
  },
)

t.test('-D runs debugger_command on master before it starts', async (t) => {
  const site = createSite(t)
  const services = ['one unix - - n - - probe single']
  site.configure(services, [
    'debugger_command = echo $process_name $process_id $$PPID > out; ls private > early',
  ])
  const master = await site.start(['-d', '-D'])
  const out = readFileSync(join(site.queue, 'out'), 'latin1')
  t.equal(out, `master ${master.pid ?? 0} ${master.pid ?? 0}\n`)
  t.equal(readFileSync(join(site.queue, 'early'), 'latin1'), '', 'no socket is there yet')
  t.match(site.log(), 'running: echo master')
  await site.client('private/one')
  t.notOk(site.reports()[0]?.args.includes('-D'), 'it is not passed on')
})

t.test('a master that is told to run a debugger, and has none, does not start', async (t) => {
  const site = createSite(t)
  site.configure(['one unix - - n - - probe single'])
  const { status, output } = await site.run(['-D', '-d'])
  t.equal(status, 1)
  t.match(output, 'fatal: no debugger_command variable set up')
})

t.test('-e ends master after a time', async (t) => {
  const site = createSite(t)
  site.configure(['one unix - - n - - probe single'])
  const master = await site.start(['-d', '-e', '1'])
  t.same(await once(master, 'exit'), [0, null])
  t.match(site.log(), 'master exit time has arrived')
  t.ok(existsSync(join(site.queue, 'private/one')))
})
