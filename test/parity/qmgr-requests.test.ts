/**
 * qmgr-requests - both queue managers ask the same of a delivery agent, and make the same of its answers
 *
 * The agents are the test's own, on sockets beside those of master(8). Needs root and Postfix 3.7.
 */
import { waitFor } from '@posthorn/testing/wait-for'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { onBoth } from './both-systems.ts'
import { QueueWatch } from './queue-watch.ts'
import { DELIVERED, facts, ScriptedAgent } from './scripted-agent.ts'

const QUEUE = ['qmgr', 'error', 'bounce'] as const

/** Domains that have transports of their own, named like them. */
const TRANSPORTS = ['few', 'one', 'narrow', 'wide', 'crash', 'talk', 'nobody']

const MAIN = {
  smtputf8_enable: 'yes',
  default_transport: 'agent',
  transport_maps: `inline:{ ${TRANSPORTS.map((name) => `{${name}.test = ${name}:}`).join(', ')},
    {moved.test = agent:[Elsewhere.test]}, {held.test = stopped:}, {bad.test = error:5.1.2 no such place} }`,
  sender_dependent_default_transport_maps: 'inline:{ {own@sender.test = other:[Their.Relay]} }',
  few_destination_recipient_limit: '3',
  one_destination_recipient_limit: '1',
  narrow_destination_concurrency_limit: '2',
  narrow_destination_recipient_limit: '1',
  wide_destination_recipient_limit: '2',
  wide_destination_concurrency_limit: '4',
  wide_initial_destination_concurrency: '3',
  destination_concurrency_feedback_debug: 'yes',
  defer_transports: 'stopped',
  minimal_backoff_time: '3s',
  maximal_backoff_time: '3s',
  transport_retry_time: '60s',
  queue_run_delay: '1000s',
}

const numbered = (count: number, domain: string): string[] =>
  Array.from({ length: count }, (_, at) => `u${String(at).padStart(2, '0')}@${domain}`)

/** What is left of a line: feedback depends on which delivery ends first, and each system has its own words for a broken protocol. */
function sameWords(line: string): string[] {
  if (line.includes('qmgr_queue_') || /warning: unexpected |socket: Cannot /.test(line)) return []
  return [
    line.replace(
      /write to process \(talk\): Broken pipe|private\/talk socket: premature disconnect/,
      'talk: lost',
    ),
  ]
}

async function script(t: Test, instance: Instance): Promise<Record<string, unknown>> {
  const watch = new QueueWatch(instance)
  const agents = new Map<string, ScriptedAgent>()
  for (const name of ['agent', 'other', 'stopped', ...TRANSPORTS.slice(0, -1)]) {
    agents.set(name, await ScriptedAgent.start(t, instance, name))
  }
  const agent = (name: string): ScriptedAgent => {
    const found = agents.get(name)
    if (found === undefined) throw new Error(`Cannot find agent ${name}`)
    found.requests.length = 0
    found.mostRunning = 0
    return found
  }
  const report: Record<string, unknown> = {}
  /** Ends a scenario: what the agents were told, and the log. */
  const end = async (what: string, ...seen: unknown[]): Promise<void> => {
    await watch.settle()
    await waitFor(() => [...agents.values()].every(({ running }) => running === 0), 'idle agents')
    report[what] = [
      ...seen.map((one) => (typeof one === 'function' ? (one as () => unknown)() : one)),
      (await watch.taken(QUEUE)).flatMap(sameWords),
    ]
  }

  {
    const some = agent('agent')
    await watch.send(
      's@sender.test',
      ['b@x.test', 'a@Y.test', 'c@X.test', 'a@x.test', 'q@moved.test'],
      {
        mail: ' RET=HDRS ENVID=ENV+2B1 BODY=8BITMIME',
      },
    )
    await end(
      'grouping by next-hop',
      () => some.told(),
      () => facts(some.requests[0]?.request),
    )
  }
  {
    const some = agent('agent')
    await watch.send('s@sender.test', ['a@x.test', 'a@x.test', 'A@x.test', 'a@X.test'])
    await end('identical recipients', () => some.told())
  }
  {
    const few = agent('few')
    await watch.send('s@sender.test', numbered(8, 'few.test'))
    await end('recipient limit 3', () => few.told().sort())
  }
  {
    const one = agent('one')
    await watch.send('s@sender.test', numbered(4, 'one.test'))
    await end('recipient limit 1', () => one.told().sort())
  }
  {
    const narrow = agent('narrow')
    const gate = Promise.withResolvers<undefined>()
    narrow.answer = async () => (await gate.promise, DELIVERED)
    await watch.send('s@sender.test', numbered(6, 'narrow.test'))
    await waitFor(() => narrow.running >= 6, 'per-recipient concurrency')
    gate.resolve(undefined)
    await end('recipient limit 1: concurrency is per recipient', () => narrow.mostRunning)
  }
  {
    const wide = agent('wide')
    let open = Promise.withResolvers<undefined>()
    wide.answer = async () => (await open.promise, DELIVERED)
    await watch.send('s@sender.test', numbered(20, 'wide.test'))
    await waitFor(() => wide.running === 3, 'the initial concurrency')
    const before = open
    open = Promise.withResolvers<undefined>()
    before.resolve(undefined)
    await waitFor(() => wide.running === 4, 'the concurrency limit')
    open.resolve(undefined)
    await end(
      'concurrency: initial 3, limit 4',
      () => wide.mostRunning,
      () => wide.told().sort(),
    )
  }
  {
    const other = agent('other')
    await watch.send('own@sender.test', ['a@x.test', 'b@few.test', 'c@y.test'])
    await end('sender-dependent transport', () => other.told())
  }
  {
    await watch.submit('s@sender.test', ['a@held.test', 'b@bad.test', 'c@x.test'])
    await watch.logged(/status=deferred/)
    await watch.logged(/: removed/)
    await end('defer_transports and error transport')
    const stopped = agent('stopped')
    await instance.run('postqueue', ['-f'])
    await waitFor(() => stopped.requests.length === 1, 'the flushed message')
    await end('defer_transports, flushed', () => stopped.told())
  }
  {
    const crash = agent('crash')
    crash.answer = () => 'hangUp'
    const id = await watch.send('s@sender.test', ['a@crash.test', 'b@crash.test'])
    await watch.logged(/crash socket/)
    await end('an agent that breaks off', () => crash.told())
    crash.answer = () => 'garbage'
    await instance.run('postqueue', ['-i', id])
    await watch.logged(/crash socket/)
    await end('an agent that answers garbage', () => crash.told())
    // half of it done, then gone
    crash.answer = (received) => {
      crash.mark({ ...received, recipients: received.recipients.slice(0, 1) })
      return 'hangUp'
    }
    await instance.run('postqueue', ['-i', id])
    await watch.logged(/crash socket/)
    await end('an agent that breaks off half way', () => crash.told())
    crash.answer = () => DELIVERED
    await instance.run('postqueue', ['-i', id])
    await watch.logged(/removed/)
    await end('who was marked as done is not tried again', () => crash.told())
  }
  {
    await watch.send('s@sender.test', ['a@nobody.test'])
    await watch.logged(/status=deferred/)
    await end('no such transport')
    const again = await watch.send('s@sender.test', ['b@nobody.test'])
    await watch.logged(/status=deferred/)
    await end('no such transport, again at once')
    const late = await ScriptedAgent.start(t, instance, 'nobody')
    agents.set('nobody', late)
    await instance.run('postqueue', ['-i', again])
    await watch.logged(/removed/)
    await end('a transport that came back', () => late.told())
  }
  for (const [announcement, what] of [
    ['', 'an agent that hangs up at once'],
    ['smtp', 'an agent of another protocol'],
  ] as const) {
    agent('talk').close()
    await rm(join(instance.queueDirectory, 'private/talk'))
    const talk = await ScriptedAgent.start(t, instance, 'talk', announcement)
    agents.set('talk', talk)
    await watch.send('s@sender.test', ['a@talk.test'])
    await watch.logged(/status=deferred/)
    await end(what, () => talk.told())
    await watch.removeAll()
    await instance.run('postqueue', ['-f'])
  }
  return report
}

t.test('delivery requests', async (t) => {
  const { postfix, posthorn } = await onBoth(t, { main: MAIN }, async (instance) =>
    script(t, instance),
  )
  for (const [what, seen] of Object.entries(postfix)) t.same(posthorn[what], seen, what)
})
