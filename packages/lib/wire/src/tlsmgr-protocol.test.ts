/**
 * tlsmgr-protocol.test - requests and replies octet by octet, and a client for whom there may be nobody
 *
 * The lists are recorded from Postfix 3.7.11.
 */
import { captureLog } from '@posthorn/log/capture-log'
import t from 'tap'
import { decodeAttrList, type AttrList } from './attr-list.ts'
import type { Channel } from './channel.ts'
import { FakeService } from './fake-service.ts'
import {
  encodeTlsmgrFailure,
  LookupRequest,
  parseTlsmgrRequest,
  PolicyReply,
  PolicyRequest,
  SeedRequest,
  SessionReply,
  TicketKeyRequest,
  TLSMGR_STATUS,
  TlsmgrClient,
  tlsmgrProtocol,
  TlsmgrStatusReply,
  UpdateRequest,
} from './tlsmgr-protocol.ts'
import { AttrError } from './wire-error.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

function decode(octets: string): AttrList {
  const list = decodeAttrList(octets)
  if (list?.end !== octets.length) throw new Error(`not one list: ${JSON.stringify(octets)}`)
  return list.attrs
}

t.test('requests and replies, octet by octet', (t) => {
  const cases: [string, string][] = [
    [SeedRequest.encode({ size: 32 }), 'request\0seed\0size\x0032\0\0'],
    [PolicyRequest.encode({ cacheType: 'smtp' }), 'request\0policy\0cache_type\0smtp\0\0'],
    [
      LookupRequest.encode({ cacheType: 'smtp', cacheId: 'smtp&a.test&' }),
      'request\0lookup\0cache_type\0smtp\0cache_id\0smtp&a.test&\0\0',
    ],
    [
      UpdateRequest.encode({ cacheType: 'smtp', cacheId: 'I', session: '\0\xff' }),
      'request\0update\0cache_type\0smtp\0cache_id\0I\0session\0AP8=\0\0',
    ],
    [TicketKeyRequest.encode({ keyName: '' }), 'request\0tktkey\0keyname\0\0\0'],
  ]
  for (const [octets, wire] of cases) {
    t.equal(octets, wire)
    const request = parseTlsmgrRequest(decode(wire))
    t.equal(request?.request, wire.split('\0')[1])
  }
  t.equal(
    PolicyReply.encode({ status: TLSMGR_STATUS.ok, isCachable: 1, timeoutSeconds: 3600 }),
    'status\x000\0cachable\x001\0timeout\x003600\0\0',
  )
  const { failed } = TLSMGR_STATUS
  const bad = 'status\x004294967294\0'
  t.equal(encodeTlsmgrFailure('lookup', failed), `${bad}session\0\0\0`)
  t.equal(encodeTlsmgrFailure('update', failed), `${bad}\0`)
  t.equal(encodeTlsmgrFailure('tktkey', failed), `${bad}keybuf\0\0\0`)
  t.equal(encodeTlsmgrFailure(undefined, failed), `${bad}\0`)
  t.equal(parseTlsmgrRequest([['request', 'nonsense']]), undefined)
  t.throws(() => parseTlsmgrRequest([['request', 'policy']]), AttrError)
  t.end()
})

/** Keeps sessions in a map. */
async function serve(channel: Channel, sessions: Map<string, string>): Promise<void> {
  const { ok, notFound } = TLSMGR_STATUS
  channel.announce(tlsmgrProtocol)
  for (;;) {
    const attrs = await channel.receive()
    if (attrs === undefined) return
    const request = parseTlsmgrRequest(attrs)
    if (request?.request === 'policy') {
      const status = request.cacheType === 'smtp' ? ok : TLSMGR_STATUS.failed
      channel.send(PolicyReply.encode({ status, isCachable: 1, timeoutSeconds: 3600 }))
    } else if (request?.request === 'lookup') {
      const session = sessions.get(request.cacheId)
      const status = session === undefined ? notFound : ok
      channel.send(SessionReply.encode({ status, session: session ?? '' }))
    } else if (request?.request === 'update') {
      sessions.set(request.cacheId, request.session)
      channel.send(TlsmgrStatusReply.encode({ status: ok }))
    } else if (request?.request === 'delete') {
      const status = sessions.delete(request.cacheId) ? ok : notFound
      channel.send(TlsmgrStatusReply.encode({ status }))
    } else {
      channel.send(encodeTlsmgrFailure(request?.request, TLSMGR_STATUS.failed))
    }
  }
}

t.test('TlsmgrClient asks, stores, finds and deletes', async (t) => {
  const kept = new Map<string, string>()
  using service = FakeService.start(async (channel) => serve(channel, kept))
  const client = new TlsmgrClient({ path: service.path, timeoutMs: 5_000 })
  const sessions = client.sessions('smtp')
  t.same(await sessions.policy(), { isCachable: true, timeoutSeconds: 3600 })
  t.equal(await client.sessions('x').policy(), undefined)
  t.equal(await sessions.lookup('a'), undefined)
  await sessions.update('a', '\0\xff')
  t.equal(await sessions.lookup('a'), '\0\xff')
  await sessions.delete('a')
  t.equal(await sessions.lookup('a'), undefined)
  t.equal(await client.seed(32), undefined)
  t.equal(await client.ticketKey(''), undefined)
  t.equal(service.clientCount, 1, 'all on one connection')
  client.close()
})

t.test('TlsmgrClient: nobody there is said once, and is nobody for a while', async (t) => {
  logged.lines.length = 0
  const path = '/nonexistent/tlsmgr'
  const client = new TlsmgrClient({ path, timeoutMs: 5_000, retryDelayMs: 0 })
  const sessions = client.sessions('smtp')
  t.equal(await sessions.policy(), undefined)
  t.equal(await sessions.lookup('a'), undefined)
  await sessions.update('a', 'x')
  await sessions.delete('a')
  t.same(logged.lines, [
    `warning: connect to ${path}: No such file or directory`,
    `warning: Cannot talk to service ${path}: No such file or directory`,
  ])
  client.close()
})
