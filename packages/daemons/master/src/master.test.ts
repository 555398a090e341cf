import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '@posthorn/testing/free-port'
import { waitFor } from '@posthorn/testing/wait-for'
import { createSite } from './test/master-site.ts'

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

t.test('a wake-up that fails is a warning, and the next one comes', async (t) => {
  const site = createSite(t)
  site.configure(['one unix - - n 1 1 probe single', 'two unix-dgram - - n 1 1 probe single'])
  await site.start()
  const text =
    'warning: master_wakeup_timer_event: service two(private/two): Operation not supported'
  await waitFor(() => site.log().split(text).length > 2, 'two warnings')
  await waitFor(() => site.reports().length > 0, 'the service that can be woken up')
  rmSync(join(site.queue, 'private/one'))
  await waitFor(
    () => site.log().includes('service one(private/one): No such file or directory'),
    'the other warning',
  )
})
