import { mkdirSync, writeFileSync } from 'node:fs'
import { MainConfig } from '@posthorn/config/main-config'
import type { Client } from '@posthorn/daemon/service'
import { createServiceContext } from '@posthorn/daemon/service-context'
import { socketPair } from '@posthorn/native/socket'
import { encodeRecord } from '@posthorn/queue/record'
import { ByteStream } from '@posthorn/stream/byte-stream'
import t from 'tap'
import { showq } from './showq.ts'

const client: Client = {
  peer: { family: 'unix', path: '' },
  local: { family: 'unix', path: '' },
  arrival: 'accepted',
  signal: new AbortController().signal,
  stay: () => false,
}

t.test('showq has nothing to say of a client that has seen enough', async (t) => {
  process.chdir(t.testdir({}))
  mkdirSync('deferred/A', { recursive: true })
  for (let count = 100; count < 300; count++) {
    const recipient = encodeRecord('R', `${'x'.repeat(1000)}@a.test`)
    const octets = encodeRecord('S', 'me@a.test') + recipient + encodeRecord('M')
    writeFileSync(`deferred/A/A${count}`, octets, { encoding: 'latin1', mode: 0o700 })
  }
  const service = await showq.start(createServiceContext(MainConfig.of({})))
  for (const words of [0, 1]) {
    const [near, far] = socketPair()
    const reader = new ByteStream(near, { timeoutMs: 5000 })
    const stream = new ByteStream(far, { timeoutMs: 5000 })
    const served = service.serve?.(stream, client)
    if (words > 0) await reader.fill()
    reader.close()
    await t.resolves(Promise.resolve(served))
    stream.close()
  }
})
