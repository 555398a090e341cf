import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { DatagramSocket } from '@posthorn/native/datagram'
import { captureLog } from './capture-log.ts'
import { formatLogStamp } from './log-stamp.ts'
import { flushLog, log, openLog, useSinks } from './log.ts'
import { SyslogSink } from './syslog-sink.ts'

/** The path of a socket must be short. */
function makeDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  mkdirSync(`${directory}/public`)
  return directory
}

function configFor(directory: string): MainConfig {
  return MainConfig.of({
    queue_directory: directory,
    maillog_file: `${directory}/log`,
    maillog_file_prefixes: directory,
    myhostname: 'mx.example.com',
    syslog_name: 'posthorn-test',
  })
}

/** Datagrams that arrive at `path`, as they come. */
function listen(t: Test, path: string): { take: () => Promise<string> } {
  const socket = DatagramSocket.bind(path)
  const received: string[] = []
  let wake: (() => void) | undefined
  socket.onMessage((octets) => {
    received.push(octets)
    wake?.()
  })
  t.teardown(() => {
    socket.close()
  })
  return {
    take: async () => {
      while (received.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return received.shift() ?? ''
    },
  }
}

t.test('formatLogStamp()', (t) => {
  const at = new Date(2026, 10, 5, 3, 4, 9).getTime()
  t.equal(formatLogStamp(at, '0'), 'Nov 05 03:04:09')
  t.equal(formatLogStamp(at, ' '), 'Nov  5 03:04:09')
  t.end()
})

t.test('log: the lines of a turn travel in one datagram to postlogd', async (t) => {
  const directory = makeDirectory(t)
  const postlogd = listen(t, `${directory}/public/postlog`)
  openLog({ program: 'smtpd', config: configFor(directory), isDaemon: true })
  log.info('first')
  log.warning('second\nforged')
  const lines = (await postlogd.take()).split('\n')
  const head = String.raw`^\w{3} \d\d \d\d:\d\d:\d\d mx posthorn-test/smtpd\[${process.pid}\]: `
  t.match(lines[0], new RegExp(`${head}first$`))
  t.match(lines[1], new RegExp(`${head}warning: second\\?forged$`))
  t.equal(lines.length, 2)
  t.equal(process.env['POSTLOG_HOSTNAME'], 'mx.example.com', 'as Postfix gives it to children')

  log.info('x'.repeat(3000))
  log.info('y'.repeat(3000))
  const [long, other] = [await postlogd.take(), await postlogd.take()]
  t.ok(long.length < 4000 && other.length < 4000)
  t.match(long, /: x{2000}$/, 'text is cut')
  t.match(other, /: y{2000}$/)
})

t.test(
  'log: a command writes maillog_file itself while postlogd is away, a daemon does not',
  (t) => {
    const directory = makeDirectory(t)
    openLog({ program: 'postsuper', config: configFor(directory) })
    log.info('from a command')
    flushLog()
    openLog({ program: 'smtpd', config: configFor(directory), isDaemon: true })
    log.info('from a daemon')
    flushLog()
    t.match(
      readFileSync(`${directory}/log`, 'latin1'),
      /^\w.*\/postsuper\[\d+\]: from a command\n$/,
    )
    t.end()
  },
)

t.test(
  'log: a child logs before it has read main.cf, with the name of the host without its domain',
  async (t) => {
    const directory = makeDirectory(t)
    const postlogd = listen(t, `${directory}/public/postlog`)
    process.env['POSTLOG_SERVICE'] = `${directory}/public/postlog`
    process.env['POSTLOG_HOSTNAME'] = 'mx.example.com'
    openLog({ program: 'smtpd', isDaemon: true })
    log.warning('early')
    t.match(await postlogd.take(), /^\w{3} \d\d [\d:]{8} mx postfix\/smtpd\[\d+\]: warning: early$/)
  },
)

t.test(
  'openLog() with fallsBack: master writes maillog_file itself before postlogd is there',
  (t) => {
    const directory = makeDirectory(t)
    const options = { program: 'master', config: configFor(directory), isDaemon: true }
    openLog({ ...options, fallsBack: true })
    log.info('daemon started')
    flushLog()
    t.match(readFileSync(`${directory}/log`, 'latin1'), /master\[\d+\]: daemon started\n$/)
    t.end()
  },
)

t.test('openLog() gives back the descriptor of the log before', (t) => {
  const directory = makeDirectory(t)
  listen(t, `${directory}/public/postlog`)
  const options = { program: 'master', config: configFor(directory), isDaemon: true }
  openLog(options)
  const before = readdirSync('/proc/self/fd').length
  for (let i = 0; i < 50; i++) openLog(options)
  t.equal(readdirSync('/proc/self/fd').length, before)
  t.end()
})

t.test('what waits for postlogd has its turn after the same log was opened again', async (t) => {
  const directory = makeDirectory(t)
  // it reads when this turn of the event loop is over
  const postlogd = listen(t, `${directory}/public/postlog`)
  const options = { program: 'master', config: configFor(directory), isDaemon: true, stderr: true }
  openLog(options)
  // more than a socket holds
  const count = 40
  for (let i = 0; i < count; i++) log.info(`${i} ${'x'.repeat(1990)}`)
  for (let i = 0; i < 5; i++) openLog(options)
  let received = ''
  while (!received.includes(`: ${count - 1} x`)) received += `${await postlogd.take()}\n`
  for (let i = 0; i < count; i++) t.ok(received.includes(`: ${i} x`), `line ${i}`)
})

t.test('openLog() with writesFile does not trust a socket that nobody reads', (t) => {
  const directory = makeDirectory(t)
  const unread = DatagramSocket.bind(`${directory}/public/postlog`)
  t.teardown(() => {
    unread.close()
  })
  const options = { program: 'master', config: configFor(directory), isDaemon: true }
  openLog({ ...options, writesFile: true })
  log.warning('last words')
  openLog(options)
  t.match(
    readFileSync(`${directory}/log`, 'latin1'),
    /^\w{3} \d\d [\d:]{8} mx posthorn-test\/master\[\d+\]: warning: last words\n$/,
  )
  t.end()
})

t.test('openLog() refuses a maillog_file that no prefix allows', (t) => {
  const config = MainConfig.of({ maillog_file: '/etc/passwd' })
  t.throws(() => {
    openLog({ program: 'x', config })
  }, /does not match any prefix in maillog_file_prefixes/)
  t.end()
})

t.test('SyslogSink sends one datagram per line', async (t) => {
  const directory = makeDirectory(t)
  const syslog = listen(t, `${directory}/log`)
  const sink = new SyslogSink({ facility: 2, tag: 'postfix/x[1]', socketPath: `${directory}/log` })
  const before = useSinks([sink])
  log.info('one')
  log.error('two')
  flushLog()
  useSinks(before)
  t.match(await syslog.take(), /^<22>\w{3} [ \d]\d \d\d:\d\d:\d\d postfix\/x\[1\]: one$/)
  t.match(await syslog.take(), /^<19>.*: error: two$/)
})

t.test('captureLog()', (t) => {
  const captured = captureLog()
  log.warning('kept')
  captured.restore()
  t.same(captured.lines, ['warning: kept'])
  t.end()
})

t.test('fatal() ends the process with status 1, and the line has gone out', (t) => {
  const script = `import { fatal, openLog } from '${import.meta.dirname}/log.ts'
    openLog({ program: 'postfix/postmap', stderr: true })
    try { fatal('no such table') } catch { console.error('caught') }`
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: {},
  })
  t.equal(done.status, 1)
  t.equal(done.stderr, 'postmap: fatal: no such table\n')

  t.end()
})
