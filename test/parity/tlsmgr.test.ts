/**
 * tlsmgr.test - the TLS session cache, asked the same by hand in Postfix and in Posthorn
 *
 * Two services in one instance: one with a cache for smtp(8), one with other settings. Replies are compared octet for
 * octet, and so are the lines in the log. Random octets are counted only.
 *
 * Not compared: what an unlucky request gets besides its status. Postfix repeats an octet string of an earlier request
 * there. Nor requests with attributes too many, which it serves with a warning, and we refuse.
 */
import { join } from 'node:path'
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
import t from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { comparable, onBoth } from './both-systems.ts'

const options = {
  main: {
    smtp_tls_session_cache_database: 'btree:${data_directory}/smtp_scache',
    smtp_tls_loglevel: '2',
    lmtp_tls_session_cache_timeout: '60s',
    smtpd_tls_session_cache_timeout: '400s',
  },
  master: [
    'other unix - - n - 1 tlsmgr -o smtp_tls_session_cache_timeout=0 ' +
      '-o lmtp_tls_session_cache_database=btree:${data_directory}/lmtp_scache -o smtpd_tls_session_cache_timeout=0',
  ],
}

class Client {
  readonly replies: string[] = []
  readonly channel: Channel

  private constructor(channel: Channel) {
    this.channel = channel
  }

  static async connect(instance: Instance, service = 'tlsmgr'): Promise<Client> {
    const path = join(instance.queueDirectory, 'private', service)
    return new Client(await Channel.connect(path, { protocol: tlsmgrProtocol, timeoutMs: 8000 }))
  }

  async ask(request: string): Promise<void> {
    this.channel.send(request)
    const [status, ...rest] = await this.channel.receiveReply()
    const isOk = status?.[1] === '0'
    const reply = encodeAttrList([
      ...(status === undefined ? [] : [status]),
      ...rest.map(([name, value]): [string, string] => [name, isOk ? value : '']),
    ])
    this.replies.push(`${request} => ${reply}`)
  }
}

async function askAll(instance: Instance): Promise<{ replies: string[]; sizes: number[] }> {
  const client = await Client.connect(instance)
  for (const size of [0, -1, 256]) await client.ask(SeedRequest.encode({ size }))
  await client.ask('request\0seed\0size\0x\0\0')
  for (const cacheType of ['smtp', 'lmtp', 'smtpd', 'x', '']) {
    await client.ask(PolicyRequest.encode({ cacheType }))
    const id = { cacheType, cacheId: 'a' }
    await client.ask(LookupRequest.encode(id))
    await client.ask(UpdateRequest.encode({ ...id, session: 'hello' }))
    await client.ask(LookupRequest.encode(id))
    await client.ask(UpdateRequest.encode({ ...id, session: 'other' }))
    await client.ask(LookupRequest.encode(id))
    await client.ask(DeleteRequest.encode(id))
    await client.ask(DeleteRequest.encode(id))
    await client.ask(LookupRequest.encode(id))
  }
  // a long id, an empty one, an empty session, and what is no request
  const long = { cacheType: 'smtp', cacheId: `smtp&mx.test&${'i'.repeat(1000)}` }
  for (const id of [long, { cacheType: 'smtp', cacheId: '' }]) {
    for (const session of ['s'.repeat(5000), '']) {
      await client.ask(UpdateRequest.encode({ ...id, session }))
      await client.ask(LookupRequest.encode(id))
    }
  }
  await client.ask('request\0update\0cache_type\0smtp\0cache_id\0a\0session\0***\0\0')
  await client.ask('request\0policy\0\0')
  await client.ask('request\0lookup\0cache_type\0smtp\0\0')
  await client.ask('foo\0bar\0\0')
  // ticket keys
  for (const keyName of ['0123456789abcdef', 'short', 'longer than sixteen octets']) {
    await client.ask(TicketKeyRequest.encode({ keyName }))
  }
  const sizes: number[] = []
  for (const size of [1, 32, 255]) {
    client.channel.send(SeedRequest.encode({ size }))
    sizes.push(SeedReply.parse(await client.channel.receiveReply()).seed.length)
  }
  const other = await Client.connect(instance, 'other')
  for (const cacheType of ['smtp', 'lmtp', 'smtpd']) {
    await other.ask(PolicyRequest.encode({ cacheType }))
    await other.ask(LookupRequest.encode({ cacheType, cacheId: 'a' }))
  }
  await other.ask(TicketKeyRequest.encode({ keyName: '' }))
  const replies = [...client.replies, ...other.replies]
  client.channel.close()
  other.channel.close()
  return { replies, sizes }
}

/** The current key: its size, whether it stays, is found by its name, and is for half of the session time. */
async function ticketKey(instance: Instance): Promise<unknown> {
  const { channel } = await Client.connect(instance)
  const get = async (keyName: string): Promise<string> => {
    channel.send(TicketKeyRequest.encode({ keyName }))
    return TicketKeyReply.parse(await channel.receiveReply()).key
  }
  const before = Math.floor(Date.now() / 1000)
  const key = await get('')
  const after = Math.floor(Date.now() / 1000)
  const end = Number(Buffer.from(key, 'latin1').readBigInt64LE(80))
  const outcome = {
    size: key.length,
    stays: (await get('')) === key,
    isFound: (await get(key.slice(0, 16))) === key,
    isForHalf: end >= before + 199 && end <= after + 200,
  }
  channel.close()
  return outcome
}

async function untilClosed(instance: Instance): Promise<boolean> {
  const { channel } = await Client.connect(instance)
  channel.send('W\0')
  const isClosed = (await channel.receive()) === undefined
  channel.close()
  return isClosed
}

/** Without what Postfix says of its file, and without the words of either attribute layer. */
async function logOf(instance: Instance): Promise<string[]> {
  return comparable(await instance.log())
    .split('\n')
    .filter((line) => line.includes('/tlsmgr[PID]: '))
    .map((line) => line.replace(/^.*\[PID\]: /, ''))
    .filter(
      (line) =>
        !/TLS cache (btree:|entry )|session cache cleanup|attribute|malformed|numerical|Cannot (parse|decode)/.test(
          line,
        ),
    )
}

t.test('requests, replies and log', async (t) => {
  const seen = await onBoth(t, options, async (instance) => {
    const { replies, sizes } = await askAll(instance)
    return {
      replies,
      sizes,
      key: await ticketKey(instance),
      isTrigger: await untilClosed(instance),
      log: await logOf(instance),
    }
  })
  t.same(seen.posthorn.replies, seen.postfix.replies, 'the same replies, octet for octet')
  t.same(seen.posthorn.log, seen.postfix.log, 'the same lines in the log')
  t.same(seen.postfix.sizes, [1, 32, 255], 'Postfix: seeds of the size that was asked for')
  t.same(seen.posthorn.sizes, seen.postfix.sizes, 'Posthorn: the same')
  const expected = { size: 88, stays: true, isFound: true, isForHalf: true }
  t.same(seen.postfix.key, expected, 'Postfix: the ticket key')
  t.same(seen.posthorn.key, seen.postfix.key, 'Posthorn: the ticket key')
  t.equal(seen.postfix.isTrigger, true, 'Postfix: a wake-up call closes the connection')
  t.equal(seen.posthorn.isTrigger, true, 'Posthorn: a wake-up call closes the connection')
})
