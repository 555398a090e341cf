/**
 * bad-internal-clients - what a mad program could say on the sockets between our daemons
 *
 * Every socket below private/ and public/ is told nonsense of every kind, while mail goes through. A daemon may end that
 * conversation with a warning; it may not crash, and it may not keep others waiting. Afterwards each answers a right
 * request, and what was sent before, during and after has arrived. Octets at random come from a seed, which is printed;
 * POSTHORN_SEED repeats a run. Needs root.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatagramSocket } from '@posthorn/native/datagram'
import { waitFor } from '@posthorn/testing/wait-for'
import { AnvilClient } from '@posthorn/wire/anvil-protocol'
import { encodeAttrList } from '@posthorn/wire/attr-list'
import { sendFlushRequest } from '@posthorn/wire/flush-protocol'
import { PROXYMAP_STATUS, ProxymapClient } from '@posthorn/wire/proxymap-protocol'
import { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import { ScacheClient } from '@posthorn/wire/scache-protocol'
import { TlsmgrClient } from '@posthorn/wire/tlsmgr-protocol'
import { VerifyClient } from '@posthorn/wire/verify-protocol'
import t from 'tap'
import { residentMegabytes, Site } from './bad-input-site.ts'
import { RawClient } from './raw-client.ts'

const MEMORY_LIMIT_MB = 300
/** A silent client is put up with for so long. */
const PATIENCE_SECONDS = 5
const TIMEOUT_MS = 10_000
const SEED = Number(process.env['POSTHORN_SEED'] ?? Date.now() % 1_000_000)

const site = await Site.start(t, {
  // without a base virtual(8) does not start
  main: { ipc_timeout: `${PATIENCE_SECONDS}s`, virtual_mailbox_base: '/' },
})
const queue = site.instance.queueDirectory

/** Numbers from 0 to 2^32 - 1; the same for the same seed (Numerical Recipes 7.1). */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0)
}

function randomOctets(next: () => number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => next() >>> 24))
}

/** Right names and values, cut and mixed: nearer to what a daemon reads than plain noise. */
function randomList(next: () => number): string {
  const words = [
    'request',
    'address',
    'queue_id',
    'status',
    'flags',
    'rewrite',
    '{',
    '}',
    '0',
    '-1',
  ]
  const length = 1 + (next() % 20)
  const text = Array.from({ length }, () => words[next() % words.length] ?? '')
  return `${text.join('\0')}\0${next() % 2 === 0 ? '\0' : ''}`
}

const sockets = ['private', 'public'].flatMap((folder) =>
  readdirSync(join(queue, folder)).map((name) => `${folder}/${name}`),
)
const streams = sockets.filter((path) => path !== 'public/postlog')

const REQUEST = encodeAttrList([
  ['request', 'no such request'],
  ['address', 'x'],
])

/** Nonsense that ends by itself. */
const RUDE: Readonly<Record<string, readonly (string | Buffer)[]>> = {
  nothing: [],
  'a list of nothing': ['\0'],
  'a request that nobody knows': [REQUEST],
  'a name without value': ['request\0'],
  'half a value': [REQUEST.slice(0, 12)],
  'the wrong encoding': ['request=rewrite\naddress=x\n\n', 'cmVxdWVzdA==:eA==\n\n'],
  'a list that opens lists': ['{\0'.repeat(5000)],
  'a list that closes lists': ['}\0'.repeat(5000)],
  'numbers that are none': [
    encodeAttrList([
      ['nrequest', '-1'],
      ['flags', '99999999999999999999'],
      ['size', 'NaN'],
    ]),
  ],
  SMTP: ['EHLO x\r\nMAIL FROM:<a@b>\r\nDATA\r\n'],
  'a million attributes': Array.from({ length: 64 }, () => 'a\0b\0'.repeat(15_625)),
  'a value without end': [
    'request\0',
    ...Array.from({ length: 64 }, () => Buffer.alloc(65_536, 'x')),
  ],
}

/** Says it, ends, and waits until the daemon has hung up. */
async function offend(path: string, pieces: readonly (string | Buffer)[]): Promise<void> {
  const client = await RawClient.connect(join(queue, path))
  for (const piece of pieces) await client.send(piece)
  client.shut()
  await waitFor(() => client.isEnded || client.isClosed, `${path} to hang up`, TIMEOUT_MS)
  client.close()
}

t.test('there are sockets to talk to', (t) => {
  for (const name of ['private/rewrite', 'private/smtp', 'public/cleanup', 'public/qmgr']) {
    t.ok(streams.includes(name), name)
    t.ok(statSync(join(queue, name)).isSocket(), name)
  }
  t.end()
})

t.test('mail goes through while every service is told nonsense', async (t) => {
  await site.probe()
  for (const [what, pieces] of Object.entries(RUDE)) {
    await Promise.all([site.probe(), ...streams.map(async (path) => offend(path, pieces))])
    t.pass(what)
  }
})

t.test('octets at random', async (t) => {
  t.comment(`POSTHORN_SEED=${SEED}`)
  const next = generator(SEED)
  for (let round = 0; round < 5; round++) {
    const rude = streams.flatMap((path) => {
      const octets = randomOctets(next, 1 + (next() % 4000))
      return [
        offend(path, [octets]),
        offend(path, [randomList(next)]),
        offend(path, [`\0${randomList(next)}`]),
      ]
    })
    await Promise.all([site.probe(), ...rude])
  }
  t.pass('every daemon has hung up')
})

t.test('half a request, then silence', async (t) => {
  const silent = await Promise.all(
    streams.map(async (path) => {
      const client = await RawClient.connect(join(queue, path))
      await client.send('request\0half')
      return { path, client }
    }),
  )
  await site.probe()
  for (const { path, client } of silent) {
    await waitFor(() => client.isEnded || client.isClosed, `${path} to hang up`, TIMEOUT_MS)
    client.close()
  }
  t.pass('nobody waits for ever')
})

t.test('datagrams that are no log lines', async (t) => {
  const next = generator(SEED)
  const socket = DatagramSocket.connect(join(queue, 'public/postlog'))
  t.teardown(() => {
    socket.close()
  })
  const lines = ['', '\0', '\n\n', 'x'.repeat(60_000), randomOctets(next, 3000).toString('latin1')]
  for (const line of lines) socket.send(line, 1000)
  socket.send('Jan  1 00:00:00 host posthorn/test[1]: still there', 1000)
  await site.waitForLog(/still there$/)
  await site.probe()
})

t.test('afterwards every service answers', async (t) => {
  const options = { timeoutMs: TIMEOUT_MS }
  const at = (path: string): { path: string; timeoutMs: number } => ({
    path: join(queue, path),
    ...options,
  })
  const rewrite = new RewriteClient(at('private/rewrite'))
  t.equal(await rewrite.rewrite('local', 'user'), 'user@mx.example.test')
  t.equal((await rewrite.resolve('', 'user@example.test')).transport, 'smtp')
  rewrite.close()
  const verify = new VerifyClient(at('private/verify'))
  t.equal((await verify.query('user@example.test')).status, 0)
  verify.close()
  for (const service of ['private/proxymap', 'private/proxywrite']) {
    const proxymap = new ProxymapClient(at(service))
    const { status } = await proxymap.lookup('unix:no.such', 0, 'x')
    t.equal(status, PROXYMAP_STATUS.denied, service)
    proxymap.close()
  }
  const anvil = new AnvilClient(at('private/anvil'))
  const session = anvil.session('smtp:192.0.2.1')
  t.match(await session.connect(), { count: 1 })
  await session.end()
  anvil.close()
  const scache = new ScacheClient(at('private/scache'))
  t.equal(await scache.findEndpoint('no such endpoint'), undefined)
  scache.close()
  const tlsmgr = new TlsmgrClient(at('private/tlsmgr'))
  t.same(await tlsmgr.sessions('smtp').policy(), { isCachable: false, timeoutSeconds: 3600 })
  tlsmgr.close()
  t.equal(
    await sendFlushRequest(join(queue, 'public/flush'), { request: 'rfrsh' }, options),
    0,
    'flush',
  )
  t.match(await site.instance.run('postqueue', ['-p']), /Mail queue is empty/)
  await site.probe()
})

t.test('nobody has crashed, and nobody has grown', async (t) => {
  t.same(await site.crashes(), [])
  for (const daemon of [
    'trivial-rewrite',
    'cleanup',
    'qmgr',
    'smtp',
    'scache',
    'bounce',
    'proxymap',
    'tlsmgr',
    'tlsproxy',
  ]) {
    for (const pid of site.pids(daemon)) {
      const size = await residentMegabytes(pid)
      t.ok(size < MEMORY_LIMIT_MB, `${daemon}: ${size.toFixed(0)} MB`)
    }
  }
})
