/**
 * channel-pool.test - services that stay, that leave, and that never heard of staying
 */
import { EndOfStreamError } from '@posthorn/stream/byte-stream'
import { waitFor } from '@posthorn/testing/wait-for'
import t from 'tap'
import { ChannelPool, NEXT_CONVERSATION, staysField } from './channel-pool.ts'
import { defineList, int } from './attr-schema.ts'
import type { Channel } from './channel.ts'
import { FakeService } from './fake-service.ts'

const protocol = 'x_protocol'
const options = { protocol, timeoutMs: 5_000 }

/** Announces itself as often as it is asked to. */
async function stay(channel: Channel): Promise<void> {
  do {
    channel.announce(protocol)
    if (!(await channel.untilInput())) return
  } while (channel.stream.take(1) === NEXT_CONVERSATION)
}

t.test('a channel whose service stays is used again', async (t) => {
  using service = FakeService.start(stay)
  const pool = new ChannelPool()
  const first = await pool.connect(service.path, options)
  const second = await pool.connect(service.path, options)
  t.equal(service.clientCount, 2, 'one in use is nobody else’s')
  pool.release(service.path, first)
  t.equal(await pool.connect(service.path, options), first)
  t.equal(service.clientCount, 2)
  second.close()
  first.close()
})

t.test('a service that has left is connected to anew', async (t) => {
  using service = FakeService.start(stay)
  const pool = new ChannelPool()
  const first = await pool.connect(service.path, options)
  pool.release(service.path, first)
  service.hangUp()
  await waitFor(() => !first.stream.isOpen, 'the pool to drop what is dead')
  const second = await pool.connect(service.path, options)
  t.not(second, first)
  t.equal(service.clientCount, 2)
  second.close()
})

t.test('a service that leaves while it is asked is connected to anew', async (t) => {
  let count = 0
  using service = FakeService.start(async (channel) => {
    count += 1
    channel.announce(protocol)
    await channel.untilInput() // the request for another conversation; then it hangs up
    if (count > 1) await channel.untilInput()
  })
  const pool = new ChannelPool()
  const first = await pool.connect(service.path, options)
  pool.release(service.path, first)
  const second = await pool.connect(service.path, options)
  t.notOk(first.stream.isOpen)
  t.equal(count, 2)
  second.close()
})

t.test('a pool does not hide that nobody listens', async (t) => {
  const pool = new ChannelPool()
  await t.rejects(pool.connect('/nonexistent/service', options), { code: 'ENOENT' })
})

t.test('a pool that is closed hangs up', async (t) => {
  using service = FakeService.start(stay)
  const pool = new ChannelPool()
  const channel = await pool.connect(service.path, options)
  pool.release(service.path, channel)
  pool.close()
  t.throws(() => channel.stream.hasInput(), EndOfStreamError)
})

t.test('the mark is there when it says something only', (t) => {
  const list = defineList({ status: int('status'), stays: staysField })
  t.equal(list.encode({ status: 0, stays: false }), 'status\x000\0\0')
  t.equal(list.encode({ status: 0, stays: true }), 'status\x000\0stays\x001\0\0')
  t.same(list.format({ status: 0, stays: true }), [
    ['status', '0'],
    ['stays', '1'],
  ])
  t.same(list.parse([['status', '0']]), { status: 0, stays: false })
  t.same(list.parse(list.format({ status: 1, stays: true })), { status: 1, stays: true })
  t.end()
})
