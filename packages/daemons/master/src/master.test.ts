import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '@posthorn/testing/free-port'
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

t.test('a program that serves one client per process', async (t) => {
  const site = createSite(t)
  const port = await freePort()
  site.configure(
    [`${port} inet n n y - 2 probe -v { two words } single`],
    ['inet_interfaces = all'],
  )
  await site.start()
  const address = { family: 'inet', address: '127.0.0.1', port } as const
  const first = await site.client(address)
  const [report] = site.reports()
  t.equal(report?.pid, first.pid)
  t.equal(report?.name, 'probe')
  t.same(report?.args, [
    ...['-n', String(port), '-t', 'inet', '-d', '-c', '-o', 'stress=', '-s', '2'],
    ...['-v', 'two words', 'single'],
  ])
  t.equal(report?.cwd, site.queue)
  t.equal(report?.umask, 0o077)
  t.same(report?.environment, {
    GENERATION: '1',
    LANG: 'C',
    MAIL_CONFIG: join(site.directory, 'etc'),
    MAIL_LOGTAG: 'postfix',
    POSTHORN_SHARE: '1',
    TZ: 'UTC',
  })
  const second = await site.client(address)
  t.not(second.pid, first.pid)
  t.same(site.reports()[1]?.environment['GENERATION'], '2')
  t.same(site.reports()[1]?.args.slice(6, 8), ['-o', 'stress=yes'], 'the last slot')
  const third = site.client(address)
  await waitFor(() => site.log().includes('has reached its process limit "2"'), 'the warning')
  t.equal(site.reports().length, 2)
  first.stream.close()
  const { pid } = await third
  t.not(pid, second.pid)
})

t.test('an idle process serves the next client', async (t) => {
  const site = createSite(t)
  site.configure(['one unix - - n - - probe single'])
  await site.start()
  const pids = new Set<number>()
  for (let i = 0; i < 5; i++) {
    const { stream, pid } = await site.client('private/one')
    pids.add(pid)
    stream.close()
  }
  t.ok(pids.size <= 2, 'at most one spare')
})

t.test('a program of ours serves its share', async (t) => {
  const site = createSite(t)
  site.configure(['one unix - - n - 4 probe share'])
  await site.start()
  const clients = []
  for (let i = 0; i < 4; i++) clients.push(await site.client('private/one'))
  const reports = site.reports()
  t.equal(new Set(clients.map(({ pid }) => pid)).size, 2)
  t.same(
    reports.map((report) => report.environment['POSTHORN_SHARE']),
    ['2', '2'],
  )
  const fifth = site.client('private/one')
  clients[3]?.stream.close()
  t.equal((await fifth).pid, clients[3]?.pid, 'whoever has room again')
  t.equal(site.reports().length, 2)
})

t.test('fifo services and wake-ups', async (t) => {
  const site = createSite(t)
  site.configure([
    'two fifo n - n 1 1 probe fifo',
    'one unix - - n 1? 1 probe single',
    'three unix - - n 1000 1 probe single',
  ])
  await site.start()
  const heard = await waitFor(() => site.reports().find(({ kind }) => kind === 'fifo'), 'a wake-up')
  t.equal(heard.text, 'W')
  await waitFor(() => site.reports().length >= 3, 'the other service')
  const started = site.reports().filter(({ kind }) => kind === 'start')
  t.same(started.map(({ args }) => args[args.indexOf('-n') + 1]).sort(), ['three', 'two'])
})

t.test('a program that crashes is throttled', async (t) => {
  const site = createSite(t)
  site.configure(['one unix - - n - - probe crash', 'two unix - - n - - missing'])
  await site.start()
  const path = `${site.directory}/libexec`
  const client = site.client('private/one')
  client.catch(() => undefined)
  const other = site.client('private/two')
  other.catch(() => undefined)
  await waitFor(() => site.log().includes('missing: bad command startup -- throttling'), 'line')
  t.match(site.log(), `fatal: master_spawn: exec ${path}/missing: No such file or directory`)
  await waitFor(() => site.reports().length === 2, 'a second try')
  const [first] = site.reports()
  t.match(site.log(), `warning: process ${path}/probe pid ${first?.pid ?? 0} exit status 7`)
  t.match(site.log(), `warning: ${path}/probe: bad command startup -- throttling`)
})

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
  const fresh = await site.client('private/new')
  t.ok(fresh.pid > 0)
  await waitFor(() => !isRunning(gone.pid), 'the end of a service that is gone')
  await waitFor(() => !isRunning(idle.pid), 'the end of an idle process')
  t.equal(await gone.stream.fill(), false)
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

t.test('-e ends master after a time', async (t) => {
  const site = createSite(t)
  site.configure(['one unix - - n - - probe single'])
  const master = await site.start(['-d', '-e', '1'])
  t.same(await once(master, 'exit'), [0, null])
  t.match(site.log(), 'master exit time has arrived')
  t.ok(existsSync(join(site.queue, 'private/one')))
})
