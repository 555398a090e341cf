/** cleanup-session.test - what happens around a message: commit, hand-over, failure, return to the sender */
process.env['TZ'] = 'UTC'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import type { FlowControl } from '@posthorn/daemon/flow-control'
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { parseQueueId } from '@posthorn/queue/queue-id'
import { encodeRecord } from '@posthorn/queue/record'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import { CLEANUP_FLAGS, cleanupProtocol } from '@posthorn/wire/cleanup-protocol'
import { CleanupFixture, type TestRecord } from './cleanup-fixture.ts'
import { serveCleanup } from './cleanup-session.ts'
import { removeStaleLogs } from './stale-logs.ts'

const T: TestRecord = ['T', '1795216841 5']
const BOUNCE = 1 + 2 + 16 + 32

function message(extra: readonly TestRecord[] = [], lines: readonly string[] = []): TestRecord[] {
  const content = ['Received: by x', 'From: a@b.c', ...lines, '', 'body']
  return [
    ...[T, ['S', 'a@b.c'], ['R', 'd@e.f'], ...extra, ['M', '']],
    ...content.map((line) => ['N', line]),
    ...[
      ['X', ''],
      ['E', ''],
    ],
  ] as TestRecord[]
}

async function withFixture(
  settings: Record<string, string>,
  run: (fixture: CleanupFixture, log: string[]) => Promise<void>,
  neighbours: Parameters<typeof CleanupFixture.open>[1] = {},
): Promise<void> {
  const fixture = await CleanupFixture.open(settings, neighbours)
  const log = captureLog()
  try {
    await run(fixture, log.lines)
  } finally {
    log.restore()
    fixture.close()
  }
}

t.test('a queued message is complete, and qmgr(8) hears of a batch once', async (t) => {
  await withFixture({}, async (fixture) => {
    const submissions = Array.from({ length: 5 }, async () => fixture.submit(50, message()))
    const results = await Promise.all(submissions)
    for (const { id, queue } of results) {
      t.equal(queue, 'incoming')
      t.equal(statSync(`incoming/${id}`).mode & 0o777, 0o700)
    }
    await nextTurn()
    t.ok(fixture.calls.wakeUps >= 1 && fixture.calls.wakeUps < 5)
    const before = fixture.calls.wakeUps
    const held = await fixture.submit(50 + 4, message())
    t.equal(held.queue, 'hold')
    await nextTurn()
    t.equal(fixture.calls.wakeUps, before, 'no word about mail on hold')
  })
})

t.test('old logs of the same queue id are removed', async (t) => {
  await withFixture({ enable_long_queue_ids: 'no' }, async (fixture) => {
    const first = await fixture.submit(50, message())
    for (const name of ['bounce', 'trace']) writeFileSync(`${name}/${first.id}`, 'stale')
    removeStaleLogs(fixture.context.layout, parseQueueId(first.id))
    t.strictSame([...fixture.files('bounce'), ...fixture.files('trace')], [])
  })
})

t.test('a client that leaves, or talks nonsense, leaves no file behind', async (t) => {
  await withFixture({}, async (fixture, log) => {
    const flow: FlowControl = { take: () => true, put: () => undefined, count: () => 0 }
    const converse = async (octets: string): Promise<void> => {
      const [ours, theirs] = socketPair()
      const stream = new ByteStream(theirs, { timeoutMs: 5000 })
      const serving = serveCleanup(stream, { stay: () => false }, fixture.context, flow).finally(
        async () => {
          if (stream.isOpen) await stream.end()
        },
      )
      const channel = new Channel(new ByteStream(ours, { timeoutMs: 5000 }))
      await channel.expectAnnouncement(cleanupProtocol)
      channel.stream.write(octets)
      await channel.stream.flush()
      channel.close()
      await serving.catch(() => undefined)
    }
    const records = message().map(([type, payload]) => encodeRecord(type, payload))
    await converse('')
    await converse('flags\x0050\0\0')
    await converse(`flags\x0050\0\0${records.slice(0, -1).join('')}`)
    await converse(`nonsense\x0050\0\0${records.join('')}`)
    await converse(`flags\x0050\0\0${records.slice(0, 3).join('')}R\xff\xff\xff\xff\xff\xff\x01`)
    t.strictSame(readdirSync('incoming'), [])
    t.ok(log.some((line) => line.includes('cannot read flags')))
  })
})

t.test('without a token the announcement waits', async (t) => {
  await withFixture({ in_flow_delay: '1s' }, async (fixture) => {
    const [ours, theirs] = socketPair()
    const stream = new ByteStream(theirs, { timeoutMs: 5000 })
    const flow: FlowControl = { take: () => false, put: () => undefined, count: () => 0 }
    const startedMs = Date.now()
    const serving = serveCleanup(stream, { stay: () => false }, fixture.context, flow)
    const channel = new Channel(new ByteStream(ours, { timeoutMs: 5000 }))
    await channel.expectAnnouncement(cleanupProtocol)
    t.ok(Date.now() - startedMs >= 900)
    channel.close()
    await serving.catch(() => undefined)
    stream.close()
  })
})

t.test(
  'a client that asks for it gets a connection that stays, unless its message failed',
  async (t) => {
    await withFixture({ message_size_limit: '2000' }, async (fixture) => {
      const { stay } = CLEANUP_FLAGS
      const mayStay = true
      t.equal((await fixture.submit(50 | stay, message(), { mayStay })).stays, true)
      t.equal((await fixture.submit(50 | stay, message())).stays, false)
      t.equal((await fixture.submit(50, message(), { mayStay })).stays, false)
      const long = message([], [`X: ${'y'.repeat(3000)}`])
      t.equal((await fixture.submit(50 | stay, long, { mayStay })).stays, false)
    })
  },
)

t.test('a message beyond message_size_limit is refused', async (t) => {
  await withFixture({ message_size_limit: '2000' }, async (fixture, log) => {
    const lines = Array.from({ length: 40 }, () => `X: ${'y'.repeat(60)}`)
    const result = await fixture.submit(50, message([], lines))
    t.equal(result.status, 4)
    t.strictSame(readdirSync('incoming'), [])
    t.ok(log.some((line) => line.endsWith('queue file size limit exceeded')))
  })
})

t.test('what pickup(8) hands over and nobody wants goes back to its sender', async (t) => {
  const checks = { header_checks: 'regexp:{ {/^X-Bad:/ REJECT 5.7.2 no way} }' }
  await withFixture(checks, async (fixture, log) => {
    const result = await fixture.submit(BOUNCE, message([['R', 'g@h.i']], ['X-Bad: 1']))
    t.match(result, { status: 0, queue: undefined })
    const [first, second, report] = fixture.calls.bounced
    t.match(first, {
      path: 'private/bounce',
      request: {
        request: 0,
        queueId: result.id,
        recipient: { recipient: 'd@e.f', originalRecipient: 'd@e.f' },
        dsn: { status: '5.7.2', action: 'failed', reason: 'no way' },
      },
    })
    t.match(second?.request, { recipient: { recipient: 'g@h.i' } })
    t.match(report?.request, { request: 1, queueName: 'incoming', sender: 'a@b.c', flags: 1 })
    t.match(report?.request, { returnFlags: 2 }, 'without its body')
    t.equal(fixture.calls.bounced.length, 3)
    t.ok(
      log.some((line) =>
        /: to=<d@e\.f>, relay=none, delay=\d+, delays=\d+\/0\/0\/0, dsn=5\.7\.2, status=bounced \(no way\)$/.test(
          line,
        ),
      ),
    )
    t.strictSame(readdirSync('incoming'), [])
  })
})

t.test('mail that went in circles goes back whole, unless its sender said otherwise', async (t) => {
  await withFixture({ hopcount_limit: '1' }, async (fixture) => {
    await fixture.submit(BOUNCE, message())
    t.match(fixture.calls.bounced.at(-1)?.request, { request: 1, returnFlags: 0 })
  })
})

t.test('when the return fails, too, the client keeps the message', async (t) => {
  await withFixture(
    { hopcount_limit: '1' },
    async (fixture, log) => {
      const result = await fixture.submit(BOUNCE, message())
      t.match(result, { status: 2, queue: undefined })
      t.ok(log.some((line) => line.includes('bounce message failure')))
    },
    { sendBounce: async () => Promise.resolve(-1) },
  )
})

t.test('the expansion of an alias is reported to who asked for reports of success', async (t) => {
  const maps = { virtual_alias_maps: 'inline:{ {list@x.y=a@b.c, d@e.f} }' }
  await withFixture(maps, async (fixture) => {
    const records = message([
      ['A', 'notify_flags=2'],
      ['R', 'list@x.y'],
    ])
    await fixture.submit(50, records)
    t.match(fixture.calls.bounced, [
      {
        path: 'private/trace',
        request: { request: 0, recipient: { recipient: 'list@x.y' }, dsn: { action: 'expanded' } },
      },
    ])
  })
})

t.test('without trivial-rewrite(8) mail that needs it is refused for now', async (t) => {
  await withFixture(
    {},
    async (fixture) => {
      const complete = await fixture.submit(50, message())
      t.equal(complete.status, 0)
      const incomplete = await fixture.submit(50, message([['R', 'user']]))
      t.equal(incomplete.status, 2)
      const header = await fixture.submit(50, message([], ['To: user']))
      t.equal(header.status, 2)
    },
    { rewriteClient: { rewrite: async () => Promise.reject(new Error('down')) } },
  )
})

t.test('answers of trivial-rewrite(8) are remembered', async (t) => {
  let asked = 0
  await withFixture(
    {},
    async (fixture) => {
      for (let count = 0; count < 3; count++) await fixture.submit(50, message([['R', 'user']]))
      t.equal(asked, 1)
    },
    {
      rewriteClient: {
        rewrite: async (_rule, address) => {
          asked++
          return Promise.resolve(`${address}@example.test`)
        },
      },
    },
  )
})

t.test('a large message passes through as it came', async (t) => {
  await withFixture({}, async (fixture) => {
    const body: TestRecord[] = Array.from({ length: 12_000 }, (_, at) =>
      at % 1000 === 13 ? ['N', `${at}\r`] : ['N', `${at} ${'x'.repeat(at % 70)}`],
    )
    const part: TestRecord[] = [
      ['N', '--b'],
      ['N', 'Content-Transfer-Encoding : 8bit'],
      ['N', ''],
    ]
    const headers = ['Received: by x', 'From: a@b.c', 'Date: x', 'Message-Id: x']
    const type = 'Content-Type: multipart/mixed; boundary=b'
    const content: TestRecord[] = [
      ...[...headers, type, ''].map((line): TestRecord => ['N', line]),
      ...part,
      ...body,
    ]
    const envelope: TestRecord[] = [T, ['S', 'a@b.c'], ['R', 'd@e.f'], ['M', '']]
    const end: TestRecord[] = [
      ['X', ''],
      ['E', ''],
    ]
    const result = await fixture.submit(50, [...envelope, ...content, ...end])
    t.equal(result.status, 0)
    const from = result.records.findIndex(([kind]) => kind === 'M') + 1
    const to = result.records.findIndex(([kind]) => kind === 'X')
    const stored = result.records.slice(from, to)
    const wanted = content.map(([kind, text]) => [
      kind,
      text.replace('\r', ' ').replace(' : 8bit', ': 8bit'),
    ])
    t.ok(JSON.stringify(stored) === JSON.stringify(wanted))
    t.strictSame(result.records.slice(to + 1), [
      ['A', 'encoding=8bit'],
      ['E', ''],
    ])
    const size = stored.reduce((sum, [, text]) => sum + 2 + text.length, 0)
    t.match(result.records[0]?.[1], new RegExp(`^ +${size} `))
  })
})
