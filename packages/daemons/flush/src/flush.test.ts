/**
 * flush.test - which destinations are eligible, as main.cf says
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { MainConfig } from '@posthorn/config/main-config'
import type { Client } from '@posthorn/daemon/service'
import { createServiceContext } from '@posthorn/daemon/service-context'
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { Channel } from '@posthorn/wire/channel'
import { encodeFlushRequest, FlushReply } from '@posthorn/wire/flush-protocol'
import t from 'tap'
import { flush } from './flush.ts'

const client: Client = {
  peer: { family: 'unix', path: '' },
  local: { family: 'unix', path: '' },
  arrival: 'accepted',
  signal: new AbortController().signal,
  stay: () => false,
}

t.test('fast_flush_domains decides, with tables and subdomains', async (t) => {
  const logged = captureLog()
  const start = process.cwd()
  t.teardown(() => {
    logged.restore()
    process.chdir(start)
  })
  const directory = temporaryDirectory(t)
  process.chdir(directory)
  mkdirSync('flush')
  writeFileSync(
    'main.cf',
    'compatibility_level = 3.7\nfast_flush_domains = !not.a.test, a.test, inline:{{b.test=x}}, fail:x\n',
  )
  const service = await flush.start(createServiceContext(MainConfig.load({ directory })))
  const add = async (site: string): Promise<number> => {
    const [a, b] = socketPair()
    const stream = new ByteStream(b, { timeoutMs: 5_000 })
    const served = service.serve?.(stream, client)
    const channel = new Channel(new ByteStream(a, { timeoutMs: 5_000 }))
    await channel.expectAnnouncement('queue_flush_protocol')
    channel.send(encodeFlushRequest({ request: 'add', site, queueId: 'ABC' }))
    const { status } = FlushReply.parse(await channel.receiveReply())
    channel.close()
    await served
    stream.close()
    return status
  }
  t.equal(await add('a.test'), 0)
  t.equal(await add('sub.A.test'), 0)
  t.equal(await add('not.a.test'), 4)
  t.equal(await add('b.test'), 0)
  t.equal(await add('c.test'), -1, 'a table that fails')
})
