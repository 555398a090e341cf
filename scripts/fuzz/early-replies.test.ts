/**
 * early-replies.test - found by the fuzzer: a server that answers everything before it is asked, and takes nothing
 *
 * Each of its replies comes in a read of its own, as from a connection that has been reset and has input left.
 */
import { ByteStream, EndOfStreamError } from '@posthorn/stream/byte-stream'
import type { Transport } from '@posthorn/stream/transport'
import t, { type Test } from 'tap'
import { CacheUse } from '../../packages/daemons/smtp/src/cache-use.ts'
import { Delivery } from '../../packages/daemons/smtp/src/delivery.ts'
import { TlsWish } from '../../packages/daemons/smtp/src/require-tls.ts'
import { SessionCourse } from '../../packages/daemons/smtp/src/session-course.ts'
import { NO_TLS } from '../../packages/daemons/smtp/src/tls-policy.ts'
import { DeliveryLab } from './delivery-lab.ts'

const HOST = { name: 'peer.test', address: '192.0.2.1', port: 25, preference: 0 }

function deafTransport(replies: readonly string[]): Transport {
  const left = replies.map((reply) => `${reply}\r\n`)
  return {
    maybeReadable: true,
    maybeWritable: true,
    hasHungUp: true,
    isWatched: false,
    bytesReadable: () => left[0]?.length ?? 0,
    readText: () => left.shift() ?? '',
    write: () => {
      throw new EndOfStreamError('Cannot write: the peer is gone')
    },
    watch: () => undefined,
    unwatch: () => undefined,
    close: () => undefined,
  }
}

async function deliver(
  t: Test,
  settings: Record<string, string>,
  isProbe: boolean,
  replies: readonly string[],
): Promise<string | undefined> {
  const lab = new DeliveryLab()
  t.teardown(() => {
    lab.close()
  })
  const client = await lab.client('smtp', settings)
  const text = lab.store(['Subject: test', '', 'body'])
  const delivery = new Delivery(lab.job(text, 'from@b.test', ['to@a.test'], isProbe))
  delivery.isFinalServer = true
  const stream = new ByteStream(deafTransport(replies))
  await new SessionCourse(client, delivery, new CacheUse(), new TlsWish()).useNew({
    connection: { kind: 'connected', stream },
    target: { element: '[peer.test]', domain: 'peer.test', host: HOST },
    policy: NO_TLS,
    features: 0,
    startedMs: Date.now(),
    isFinalSession: true,
  })
  return lab.log.at(-1)
}

const envelope = ['220 peer.test ESMTP', '250 peer.test', '250 mail', '250 rcpt']
const data = [...envelope, '354 data', '250 dot', '221 bye']
const chunks = [
  '220 peer.test ESMTP',
  '250-peer.test\r\n250 CHUNKING',
  '250 mail',
  '250 rcpt',
  '250 yes',
]
const lost = /dsn=4\.4\.2, status=(?:deferred|undeliverable) \(lost connection with /

t.test('a message that was never written is not sent', async (t) => {
  t.match(await deliver(t, {}, false, data), lost)
})

t.test('nor is one in chunks', async (t) => {
  t.match(await deliver(t, { smtp_chunking_enable: 'yes' }, false, chunks), lost)
})

t.test('nor is a recipient deliverable that was never asked about', async (t) => {
  t.match(await deliver(t, {}, true, envelope), lost)
  t.match(await deliver(t, { smtp_address_verify_target: 'data' }, true, data), lost)
})
