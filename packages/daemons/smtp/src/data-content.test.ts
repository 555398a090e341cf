/**
 * data-content.test - what the fuzzer found about the reply to the final dot (scripts/fuzz/replies.ts)
 */
import { ScriptedPeer, type ScriptedReply } from '@posthorn/testing/scripted-peer'
import t, { type Test } from 'tap'
import { TestWorld } from './test/test-world.ts'

const LINES = ['Subject: early', '', ...Array<string>(1700).fill('x'.repeat(70))]

/** A server that answers before it has read the text, and stops reading; the last 50 KB find no room in the kernel. */
async function deliverToEarlyServer(
  t: Test,
  unasked: ScriptedReply,
  protocol: 'smtp' | 'lmtp',
): Promise<string[]> {
  const DATA = { text: '354 go', deafMs: Infinity, unasked }
  const peer = await ScriptedPeer.start({ windowBytes: 4096, replies: { DATA } })
  t.teardown(async () => peer.close())
  const settings = { tcp_windowsize: '4096', [`${protocol}_data_done_timeout`]: '1s' }
  const world = await TestWorld.start(t, settings, { protocol })
  const nexthop = `[127.0.0.1]:${peer.port}`
  const recipients = ['a@a.test', 'b@a.test']
  return (await world.deliver({ nexthop, lines: LINES, recipients })).log
}

const lost =
  / dsn=4\.4\.2, status=deferred \(conversation with .* timed out while sending end of data/
const yes = { text: '250 2.0.0 Ok', delayMs: 200 }

t.test('a yes to text that is still here does not count', async (t) => {
  t.match(await deliverToEarlyServer(t, yes, 'smtp'), [lost, lost])
})

t.test(
  'nor does one after which the server breaks the connection in the middle of the text',
  async (t) => {
    const DATA = { text: '354 go', deafMs: Infinity, unasked: { ...yes, reset: true } }
    const peer = await ScriptedPeer.start({ windowBytes: 4096, replies: { DATA } })
    t.teardown(async () => peer.close())
    const world = await TestWorld.start(t, { tcp_windowsize: '4096' })
    const nexthop = `[127.0.0.1]:${peer.port}`
    const lines = ['Subject: half', '', ...Array<string>(100_000).fill('x'.repeat(70))]
    const { log } = await world.deliver({ nexthop, lines, recipients: ['a@a.test', 'b@a.test'] })
    const broken =
      / dsn=4\.4\.2, status=deferred \(lost connection with .* while sending message body\)/
    t.match(log, [broken, broken])
  },
)

t.test('LMTP: neither does one among several', async (t) => {
  const replies = { text: '550 5.1.1 no', delayMs: 200, unasked: yes }
  const log = await deliverToEarlyServer(t, replies, 'lmtp')
  t.match(log, [/to=<a@a\.test>, .*dsn=5\.1\.1, status=bounced/, lost])
})
