/**
 * tlsmgr-service.test - requests over socket pairs; the replies are those of Postfix 3.7 to the same requests
 */
import { MainConfig } from '@posthorn/config/main-config'
import { createServiceContext } from '@posthorn/daemon/service-context'
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { encodeAttrList } from '@posthorn/wire/attr-list'
import { Channel } from '@posthorn/wire/channel'
import {
  DeleteRequest,
  LookupRequest,
  PolicyRequest,
  SeedReply,
  SeedRequest,
  TicketKeyReply,
  TicketKeyRequest,
  tlsmgrProtocol,
  UpdateRequest,
} from '@posthorn/wire/tlsmgr-protocol'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { tlsmgr } from './tlsmgr.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

type Ask = (request: string) => Promise<string>

/** A client of a service with these settings. */
async function connect(t: Test, settings: Record<string, string> = {}) {
  logged.lines.length = 0
  const service = await tlsmgr.start(createServiceContext(MainConfig.of(settings)))
  const [near, far] = socketPair()
  const server = new ByteStream(far, { timeoutMs: 5_000 })
  const served = service
    .serve?.(server, {} as never)
    .catch(() => undefined)
    .finally(() => {
      server.close()
    })
  const channel = new Channel(new ByteStream(near, { timeoutMs: 5_000 }))
  await channel.expectAnnouncement(tlsmgrProtocol)
  t.teardown(async () => {
    channel.close()
    await served
    await service.stop?.()
  })
  const ask: Ask = async (request) => {
    channel.send(request)
    return encodeAttrList(await channel.receiveReply())
  }
  return { channel, ask }
}

const ok = 'status\x000\0'
const notFound = 'status\x004294967295\0'
const failed = 'status\x004294967294\0'
const cached = { smtp_tls_session_cache_database: 'btree:/var/lib/postfix/smtp_scache' }

t.test('seed: 1 to 255 octets', async (t) => {
  const { channel, ask } = await connect(t)
  for (const size of [1, 32, 255]) {
    channel.send(SeedRequest.encode({ size }))
    const reply = SeedReply.parse(await channel.receiveReply())
    t.equal(reply.seed.length, size)
  }
  for (const size of [0, -1, 256]) {
    t.equal(await ask(SeedRequest.encode({ size })), `${failed}seed\0\0\0`)
  }
  t.equal(await ask('request\0seed\0size\0x\0\0'), `${failed}seed\0\0\0`)
  t.same(logged.lines.slice(0, 3), [
    'warning: bogus seed length "0" in "seed" request',
    'warning: bogus seed length "-1" in "seed" request',
    'warning: bogus seed length "256" in "seed" request',
  ])
})

t.test('policy: what main.cf says of each kind of program', async (t) => {
  const { ask } = await connect(t, {
    ...cached,
    lmtp_tls_session_cache_timeout: '60s',
    smtpd_tls_session_cache_timeout: '400s',
  })
  const asked: string[] = []
  for (const cacheType of ['smtp', 'lmtp', 'smtpd', 'x']) {
    asked.push(await ask(PolicyRequest.encode({ cacheType })))
  }
  t.same(asked, [
    `${ok}cachable\x001\0timeout\x003600\0\0`,
    `${ok}cachable\x000\0timeout\x00120\0\0`,
    `${ok}cachable\x000\0timeout\x00400\0\0`,
    `${failed}cachable\x000\0timeout\x000\0\0`,
  ])
  t.same(logged.lines, ['warning: bogus cache type "x" in "policy" request'])
})

t.test('policy: without sessions and tickets', async (t) => {
  const { ask } = await connect(t, { ...cached, smtp_tls_session_cache_timeout: '0s' })
  const policy = await ask(PolicyRequest.encode({ cacheType: 'smtp' }))
  t.equal(policy, `${ok}cachable\x000\0timeout\x000\0\0`)
  const id = { cacheType: 'smtp', cacheId: 'a' }
  t.equal(await ask(LookupRequest.encode(id)), `${failed}session\0\0\0`)
})

t.test('sessions: stored, found, replaced, deleted', async (t) => {
  const { ask } = await connect(t, { ...cached, smtp_tls_loglevel: '2' })
  const id = { cacheType: 'smtp', cacheId: 'a' }
  t.equal(await ask(LookupRequest.encode(id)), `${notFound}session\0\0\0`)
  t.equal(await ask(UpdateRequest.encode({ ...id, session: 'hello' })), `${ok}\0`)
  t.equal(await ask(LookupRequest.encode(id)), `${ok}session\0aGVsbG8=\0\0`)
  t.equal(await ask(UpdateRequest.encode({ ...id, session: 'other' })), `${ok}\0`)
  t.equal(await ask(LookupRequest.encode(id)), `${ok}session\0b3RoZXI=\0\0`)
  t.equal(await ask(DeleteRequest.encode(id)), `${ok}\0`)
  t.equal(await ask(DeleteRequest.encode(id)), `${notFound}\0`)
  t.equal(await ask(LookupRequest.encode(id)), `${notFound}session\0\0\0`)
  t.same(logged.lines, [
    'lookup smtp session id=a',
    'put smtp session id=a [data 5 bytes]',
    'lookup smtp session id=a',
    'put smtp session id=a [data 5 bytes]',
    'lookup smtp session id=a',
    'delete smtp session id=a',
    'delete smtp session id=a',
    'lookup smtp session id=a',
  ])
})

t.test('sessions: kinds without a cache, and nothing else that cannot be served', async (t) => {
  const { ask } = await connect(t, cached)
  for (const cacheType of ['lmtp', 'smtpd', 'x']) {
    const id = { cacheType, cacheId: 'a' }
    t.equal(await ask(LookupRequest.encode(id)), `${failed}session\0\0\0`)
    t.equal(await ask(UpdateRequest.encode({ ...id, session: 'x' })), `${failed}\0`)
    t.equal(await ask(DeleteRequest.encode(id)), `${failed}\0`)
  }
  t.equal(await ask('request\0lookup\0cache_type\0smtp\0\0'), `${failed}session\0\0\0`)
  t.equal(await ask('request\0policy\0\0'), `${failed}cachable\x000\0timeout\x000\0\0`)
  t.equal(await ask('foo\0bar\0\0'), `${failed}\0`)
  const malformed = 'request\0update\0cache_type\0smtp\0cache_id\0a\0session\0***\0\0'
  t.equal(await ask(malformed), `${failed}\0`)
})

t.test('tktkey: the current key, and keys by their names', async (t) => {
  const { channel, ask } = await connect(t, { smtpd_tls_session_cache_timeout: '400s' })
  channel.send(TicketKeyRequest.encode({ keyName: '' }))
  const { key } = TicketKeyReply.parse(await channel.receiveReply())
  t.equal(key.length, 88)
  channel.send(TicketKeyRequest.encode({ keyName: key.slice(0, 16) }))
  t.equal(TicketKeyReply.parse(await channel.receiveReply()).key, key)
  t.equal(
    await ask(TicketKeyRequest.encode({ keyName: '0123456789abcdef' })),
    `${notFound}keybuf\0\0\0`,
  )
  t.equal(await ask(TicketKeyRequest.encode({ keyName: 'short' })), `${failed}keybuf\0\0\0`)
  t.same(logged.lines, ['warning: invalid session ticket key name length: 5'])
  const none = await connect(t, { smtpd_tls_session_cache_timeout: '0s' })
  t.equal(await none.ask(TicketKeyRequest.encode({ keyName: '' })), `${notFound}keybuf\0\0\0`)
})

t.test('a wake-up call is no request; nor is one of an unknown name', async (t) => {
  const woken = await connect(t)
  woken.channel.send('W\0')
  t.equal(await woken.channel.receive(), undefined, 'closed without a word')
  t.same(logged.lines, [])
  const { ask } = await connect(t)
  const policy = PolicyRequest.encode({ cacheType: 'smtp' })
  t.match(await ask(`request\0nonsense\0\0${policy}`), /cachable/, 'no reply to the first')
})

t.test('whatever a client sends, the next one is served', async (t) => {
  const word = fc.constantFrom(
    ...['request', 'lookup', 'update', 'tktkey', 'cache_type', 'cache_id', 'session', 'keyname'],
    ...['size', 'seed', 'smtp', '', 'x', '-1', '\xff'],
  )
  const octets = fc.array(fc.tuple(word, fc.constantFrom('\0', '\0\0', '')), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(octets, async (parts) => {
      const bad = await connect(t, cached)
      bad.channel.send(parts.flat().join(''))
      await bad.channel.stream.flush()
      bad.channel.close()
      const good = await connect(t, cached)
      t.match(await good.ask(PolicyRequest.encode({ cacheType: 'smtp' })), ok)
    }),
    { numRuns: 60 },
  )
})
