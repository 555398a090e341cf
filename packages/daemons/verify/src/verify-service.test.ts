/**
 * verify-service.test - conversations over socket pairs, and probes that reach cleanup(8)
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MainConfig } from '@posthorn/config/main-config'
import type { Client, Service } from '@posthorn/daemon/service'
import { createServiceContext } from '@posthorn/daemon/service-context'
import { captureLog } from '@posthorn/log/capture-log'
import { Acceptor, listenOn, socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { encodeAttrList } from '@posthorn/wire/attr-list'
import { Channel } from '@posthorn/wire/channel'
import { announceCleanup, CleanupOpening, SubmissionReply } from '@posthorn/wire/cleanup-protocol'
import { parseRewriteRequest, rewriteProtocol, RewriteReply } from '@posthorn/wire/rewrite-protocol'
import { verifyProtocol, VerifyQuery, VerifyUpdate } from '@posthorn/wire/verify-protocol'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { AddressCache } from './address-cache.ts'
import { CacheFile } from '@posthorn/tables/cache-file'
import { VerifyService } from './verify-service.ts'
import { verify } from './verify.ts'

const logged = captureLog()
const start = process.cwd()
t.teardown(() => {
  logged.restore()
  process.chdir(start)
})

const client: Client = {
  peer: { family: 'unix', path: '' },
  local: { family: 'unix', path: '' },
  arrival: 'accepted',
  signal: new AbortController().signal,
  stay: () => false,
}

async function connect(t: Test, service: Service): Promise<Channel> {
  const [a, b] = socketPair()
  const stream = new ByteStream(b, { timeoutMs: 5_000 })
  const served = service.serve?.(stream, client) ?? Promise.resolve()
  served
    .catch((error: unknown) => {
      logged.lines.push(String(error))
    })
    .finally(() => {
      stream.close()
    })
  const channel = new Channel(new ByteStream(a, { timeoutMs: 5_000 }))
  t.teardown(() => {
    channel.close()
  })
  await channel.expectAnnouncement(verifyProtocol)
  return channel
}

async function ask(channel: Channel, octets: string): Promise<string> {
  channel.send(octets)
  return encodeAttrList(await channel.receiveReply())
}

function listen(t: Test, path: string, serve: (channel: Channel) => Promise<void>): void {
  const acceptor = new Acceptor(listenOn({ family: 'unix', path }, { backlog: 10 }), (accepted) => {
    const stream = new ByteStream(accepted, { timeoutMs: 5_000 })
    serve(new Channel(stream))
      .then(async () => stream.end())
      .catch((error: unknown) => {
        logged.lines.push(String(error))
        stream.close()
      })
  })
  acceptor.resume()
  t.teardown(() => {
    acceptor.close()
  })
}

const inProgress =
  'status\x000\0recipient_status\x003\0reason\0Address verification in progress\0\0'

t.test('a query posts a probe, as Postfix writes it', async (t) => {
  const directory = temporaryDirectory(t)
  process.chdir(directory)
  for (const name of ['public', 'private']) mkdirSync(name)
  writeFileSync(
    'main.cf',
    `compatibility_level = 3.7\nmyhostname = lab.test\nmail_name = Postfix\n` +
      `data_directory = ${directory}\naddress_verify_sender = probe\n`,
  )
  const posted = Promise.withResolvers<string>()
  listen(t, 'private/rewrite', async (channel) => {
    channel.announce(rewriteProtocol)
    const request = parseRewriteRequest((await channel.receive()) ?? [])
    channel.send(RewriteReply.encode({ serverFlags: 0, address: `${request.address}@lab.test` }))
    await channel.receive()
  })
  listen(t, 'public/cleanup', async (channel) => {
    announceCleanup(channel, 'ABCDEF12345')
    t.same(CleanupOpening.parse((await channel.receive()) ?? []), { flags: 544 })
    const records = await channel.stream.readUntil('E\0', 10_000)
    channel.send(SubmissionReply.encode({ status: 0, reason: '', stays: false }))
    posted.resolve(records)
  })
  const service = await verify.start(createServiceContext(MainConfig.load({ directory })))
  const channel = await connect(t, service)
  t.equal(await ask(channel, VerifyQuery.encode({ address: 'a:b@x.test' })), inProgress)
  const date = '\\w{3}, [ \\d]\\d \\w{3} \\d{4} [\\d:]{8} [-+]\\d{4} \\([^)]+\\)'
  t.match(
    await posted.promise,
    new RegExp(
      '^T[\x0c-\x11]\\d{10} \\d{1,6}A\x18log_message_origin=localA\x0ftrace_flags=256' +
        'S\x0eprobe@lab.testR\\na_b@x.testM\0N\x1fReceived: by lab.test \\(Postfix\\)' +
        `N.\tid ABCDEF12345; ${date}N.Date: ${date}X\0$`,
    ),
  )
  t.equal(
    await ask(channel, VerifyQuery.encode({ address: 'a_b@x.test' })),
    inProgress,
    'one probe',
  )
  const update = { address: 'a:b@x.test', recipientStatus: 2, reason: 'no\x01such' }
  t.equal(await ask(channel, VerifyUpdate.encode(update)), 'status\x000\0\0')
  t.equal(
    await ask(channel, VerifyQuery.encode({ address: 'a:b@x.test' })),
    'status\x000\0recipient_status\x002\0reason\0no?such\0\0',
  )
  await service.stop?.()
  t.match(readFileSync(join(directory, 'verify_cache.posthorn'), 'latin1'), 'no?such')
})

function memoryService(probe: (address: string) => Promise<void>): VerifyService {
  const cache = new AddressCache(new CacheFile({ path: undefined }), {
    positiveExpireSeconds: 100,
    positiveRefreshSeconds: 10,
    negativeExpireSeconds: 100,
    negativeRefreshSeconds: 10,
    keepsNegative: true,
  })
  return new VerifyService(cache, probe)
}

t.test('bad requests', async (t) => {
  logged.lines.length = 0
  const service = memoryService(async () => Promise.resolve())
  const channel = await connect(t, service)
  const bad = 'status\x004294967294\0\0'
  for (const recipientStatus of [3, 9, -1]) {
    const update = VerifyUpdate.encode({ address: 'v@x', recipientStatus, reason: '' })
    t.equal(await ask(channel, update), bad)
  }
  t.equal(await ask(channel, encodeAttrList([['request', 'xx']])), bad)
  t.same(logged.lines, [
    'warning: bad recipient status 3 for recipient v@x',
    'warning: bad recipient status 9 for recipient v@x',
    'warning: bad recipient status -1 for recipient v@x',
    'warning: unrecognized request: "xx", ignored',
  ])
  channel.send(encodeAttrList([['request', 'query']]))
  t.equal(await channel.receive(), undefined, 'malformed: closed without a reply')
})

t.test('a probe that fails is warned about, and tried again', async (t) => {
  logged.lines.length = 0
  let probes = 0
  const service = memoryService(async () => {
    probes += 1
    return Promise.reject(new Error('cleanup is away'))
  })
  const channel = await connect(t, service)
  const query = VerifyQuery.encode({ address: 'u@x' })
  t.equal(await ask(channel, query), inProgress)
  t.equal(await ask(channel, query), inProgress)
  t.equal(probes, 2)
  t.match(logged.lines[0], /cannot post address probe for u@x: cleanup is away/)
})

t.test('probes being posted are limited', async (t) => {
  let probes = 0
  const service = memoryService(async () => {
    probes += 1
    return new Promise(() => undefined)
  })
  const channel = await connect(t, service)
  for (let count = 0; count < 150; count += 1) {
    await ask(channel, VerifyQuery.encode({ address: `u${count}@x` }))
  }
  t.equal(probes, 100)
})

t.test('whatever a client sends, the next one is served', async (t) => {
  const service = memoryService(async () => Promise.resolve())
  const word = fc.constantFrom(
    'request',
    'query',
    'update',
    'address',
    'recipient_status',
    'reason',
    '',
    'x',
    '-1',
    '0',
    '\xff',
  )
  const octets = fc.array(fc.tuple(word, fc.constantFrom('\0', '\0\0', '')), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(octets, async (parts) => {
      const bad = await connect(t, service)
      bad.send(parts.flat().join(''))
      await bad.stream.flush()
      bad.close()
      const good = await connect(t, service)
      t.match(await ask(good, VerifyQuery.encode({ address: 'u@x' })), 'status\x000\0')
      good.close()
    }),
    { numRuns: 60 },
  )
})
