/**
 * flush-service.test - requests over socket pairs, against a queue in a temporary directory
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { captureLog } from '@posthorn/log/capture-log'
import { Acceptor, listenOn, socketPair } from '@posthorn/native/socket'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { Channel } from '@posthorn/wire/channel'
import { encodeFlushRequest, FlushReply, type FlushRequest } from '@posthorn/wire/flush-protocol'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { FlushService } from './flush-service.ts'
import { siteLogName } from './site-log.ts'

const logged = captureLog()
const start = process.cwd()
t.teardown(() => {
  logged.restore()
  process.chdir(start)
})

interface Lab {
  readonly layout: QueueLayout
  readonly triggers: string[]
  readonly service: FlushService
  readonly message: (queue: 'deferred' | 'incoming', id: string) => string
}

/** A queue of its own as working directory, with a qmgr(8) that writes down its triggers. */
function lab(t: Test): Lab {
  logged.lines.length = 0
  process.chdir(temporaryDirectory(t))
  for (const name of ['flush', 'deferred', 'incoming', 'public']) mkdirSync(name)
  const layout = new QueueLayout({ hashedQueues: ['deferred'] })
  const triggers: string[] = []
  const acceptor = new Acceptor(
    listenOn({ family: 'unix', path: 'public/qmgr' }, { backlog: 10 }),
    (client) => {
      const stream = new ByteStream(client, { timeoutMs: 5_000 })
      stream
        .fill()
        .then(() => triggers.push(stream.buffered.replace('\0', '')))
        .catch(() => triggers.push('lost'))
        .finally(() => {
          stream.close()
        })
    },
  )
  acceptor.resume()
  t.teardown(() => {
    acceptor.close()
  })
  const service = new FlushService({
    layout,
    isEligible: async (site) => {
      if (site === 'broken.test') throw new Error('table is broken')
      return Promise.resolve(/(^|\.)a\.test$|^\[/i.test(site))
    },
    refreshSeconds: 3600,
    purgeSeconds: 7200,
    qmgrPath: 'public/qmgr',
    triggerTimeoutMs: 5_000,
  })
  const message = (queue: 'deferred' | 'incoming', id: string): string => {
    const path = layout.path(queue, id)
    mkdirSync(layout.directory(queue, id), { recursive: true })
    writeFileSync(path, 'content', { mode: 0o700 })
    utimesSync(path, 4_000_000_000, 4_000_000_000)
    return path
  }
  return { layout, triggers, service, message }
}

/** The octets of the reply, '' for none; resolves when the service is done. */
async function converse(service: FlushService, octets: string): Promise<string> {
  const [a, b] = socketPair()
  const stream = new ByteStream(b, { timeoutMs: 5_000 })
  const served = service.serve(stream).finally(async () => stream.end())
  const channel = new Channel(new ByteStream(a, { timeoutMs: 5_000 }))
  await channel.expectAnnouncement('queue_flush_protocol')
  channel.send(octets)
  const reply = await channel.receive()
  await served
  channel.close()
  return reply === undefined ? '' : String(FlushReply.parse(reply).status)
}

const ask = async (service: FlushService, request: FlushRequest): Promise<string> =>
  converse(service, encodeFlushRequest(request))

const isRecent = (path: string): boolean => Math.abs(statSync(path).mtimeMs - Date.now()) < 10_000

async function heard(triggers: string[], count: number): Promise<string[]> {
  while (triggers.length < count) await new Promise((resolve) => setImmediate(resolve))
  return triggers
}

t.test('siteLogName() makes file names', (t) => {
  t.equal(siteLogName('refuse.test'), 'refuse_test')
  t.equal(siteLogName('Refuse.TEST'), 'refuse_test')
  t.equal(siteLogName('[127.0.0.1]'), '_127_0_0_1_')
  t.equal(siteLogName('../../etc/passwd'), '______etc_passwd')
  t.equal(siteLogName(Buffer.from('bücher.test').toString('latin1')), 'xn__bcher_kva_test')
  t.end()
})

t.test('statuses are those of Postfix', async (t) => {
  const { service } = lab(t)
  const queueId = '0F8E21C1C8'
  t.equal(await ask(service, { request: 'add', site: 'a.test', queueId }), '0')
  t.equal(await ask(service, { request: 'add', site: 'A.test', queueId: '0F8E21C1C9' }), '0')
  t.equal(await ask(service, { request: 'add', site: 'c.test', queueId }), '4')
  t.equal(await ask(service, { request: 'add', site: '', queueId }), '4')
  t.equal(await ask(service, { request: 'add', site: 'a.test', queueId: '../bad' }), '3')
  t.equal(await ask(service, { request: 'add', site: 'broken.test', queueId }), '-1')
  t.equal(await converse(service, 'request\0add\0site\0a.test\0\0'), '3')
  t.equal(await converse(service, 'x\0y\0\0'), '3')
  t.equal(await converse(service, 'request\0nonsense\0\0'), '')
  t.equal(await ask(service, { request: 'send_site', site: 'sub.a.test' }), '0')
  t.equal(await ask(service, { request: 'send_site', site: 'c.test' }), '4')
  t.equal(await ask(service, { request: 'send_file', queueId: 'NONEXISTENT' }), '0')
  t.equal(await ask(service, { request: 'send_file', queueId: '..' }), '3')
  t.equal(readFileSync('flush/a_test', 'latin1'), '0F8E21C1C8\n0F8E21C1C9\n')
  t.equal(statSync('flush/a_test').mode & 0o777, 0o600)
  t.same(readdirSync('flush'), ['a_test'])
})

t.test(
  'send_site moves what was deferred, empties the log and tells qmgr before and after',
  async (t) => {
    const { service, message, triggers } = lab(t)
    const deferred = message('deferred', 'AAA111')
    const incoming = message('incoming', 'BBB222')
    for (const queueId of ['AAA111', 'BBB222', 'AAA111', 'GONE33']) {
      await ask(service, { request: 'add', site: 'a.test', queueId })
    }
    t.equal(await ask(service, { request: 'send_site', site: 'a.test' }), '0')
    t.same(await heard(triggers, 2), ['F', 'I'])
    t.notOk(existsSync(deferred))
    t.ok(isRecent('incoming/AAA111'))
    t.ok(isRecent(incoming))
    t.equal(statSync('incoming/AAA111').mode & 0o777, 0o700)
    t.equal(statSync('flush/a_test').size, 0)
    await ask(service, { request: 'send_site', site: 'a.test' })
    t.same(await heard(triggers, 3), ['F', 'I', 'F'], 'nothing to scan for')
  },
)

t.test('rubbish in a log is passed over', async (t) => {
  const { service, message } = lab(t)
  message('deferred', 'AAA111')
  writeFileSync('flush/a_test', `../../x\n\n${'y'.repeat(100_000)}\nAAA111`)
  t.equal(await ask(service, { request: 'send_site', site: 'a.test' }), '0')
  t.ok(existsSync('incoming/AAA111'))
  t.equal(logged.lines.filter((line) => line.includes('bad queue id')).length, 2)
})

t.test('a log of any length is sent whole before it is emptied', async (t) => {
  const { service, message } = lab(t)
  const last = ['BBB222', 'CCC333']
  for (const id of last) message('deferred', id)
  const gone = Array.from({ length: 10_000 }, (_, at) => `A${at.toString(16).toUpperCase()}\n`)
  writeFileSync('flush/a_test', `${gone.join('')}${gone.join('')}${last.join('\n')}\n`)
  t.equal(await ask(service, { request: 'send_site', site: 'a.test' }), '0')
  t.same(readdirSync('incoming').sort(), last)
  t.equal(statSync('flush/a_test').size, 0)
})

t.test('send_file sends one message and unthrottles it', async (t) => {
  const { service, message, triggers } = lab(t)
  message('deferred', 'AAA111')
  t.equal(await ask(service, { request: 'send_file', queueId: 'AAA111' }), '0')
  t.same(await heard(triggers, 1), ['I'])
  t.equal(statSync('incoming/AAA111').mode & 0o777, 0o740)
  t.ok(isRecent('incoming/AAA111'))
})

t.test(
  'rfrsh and its trigger: old logs are sent, old empty ones deleted, the others left',
  async (t) => {
    for (const request of ['W', 'W\0', encodeFlushRequest({ request: 'rfrsh' })]) {
      const { service, message, triggers } = lab(t)
      for (const id of ['OLD111', 'NEW222']) message('deferred', id)
      const now = Date.now() / 1000
      writeFileSync('flush/old', 'OLD111\n')
      utimesSync('flush/old', now - 3700, now)
      writeFileSync('flush/new', 'NEW222\n')
      writeFileSync('flush/empty', '')
      writeFileSync('flush/emptyold', '')
      utimesSync('flush/emptyold', now, now - 7300)
      t.equal(await converse(service, request), request.length > 2 ? '0' : '')
      t.same(readdirSync('flush').sort(), ['empty', 'new', 'old'])
      t.same(readdirSync('incoming'), ['OLD111'])
      t.same(await heard(triggers, 1), ['I'], 'without forgetting dead destinations')
      t.ok(statSync('flush/old').atimeMs > Date.now() - 10_000)
    }
  },
)

t.test('purge sends every log', async (t) => {
  const { service, message } = lab(t)
  message('deferred', 'NEW222')
  writeFileSync('flush/new', 'NEW222\n')
  t.equal(await ask(service, { request: 'purge' }), '0')
  t.same(readdirSync('incoming'), ['NEW222'])
})

t.test('a queue manager that is away is no failure', async (t) => {
  const { service, message } = lab(t)
  message('deferred', 'AAA111')
  const absent = new FlushService({
    layout: new QueueLayout({ hashedQueues: ['deferred'] }),
    isEligible: async () => Promise.resolve(true),
    refreshSeconds: 1,
    purgeSeconds: 1,
    qmgrPath: 'public/nobody',
    triggerTimeoutMs: 1000,
  })
  t.equal(await ask(absent, { request: 'send_file', queueId: 'AAA111' }), '0')
  t.match(logged.lines, [/unable to look up public\/nobody/])
  t.equal(await ask(service, { request: 'send_file', queueId: 'AAA111' }), '0')
})

t.test('whatever a client sends, the next one is served', async (t) => {
  const { service } = lab(t)
  const word = fc.constantFrom(
    'request',
    'add',
    'send_site',
    'site',
    'queue_id',
    'a.test',
    'W',
    '',
    '..',
  )
  const octets = fc.array(fc.tuple(word, fc.constantFrom('\0', '\0\0', '')), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(octets, async (parts) => {
      const [a, b] = socketPair()
      const stream = new ByteStream(b, { timeoutMs: 5_000 })
      const bad = new Channel(new ByteStream(a, { timeoutMs: 5_000 }))
      bad.send(parts.flat().join(''))
      await bad.stream.flush()
      bad.close()
      await service.serve(stream).catch(() => undefined)
      stream.close()
      t.equal(await ask(service, { request: 'send_file', queueId: 'GONE' }), '0')
    }),
    { numRuns: 60 },
  )
})
