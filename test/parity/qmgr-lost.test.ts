/**
 * qmgr-lost - a queue manager that is killed, or that an agent keeps waiting, loses no mail and sends none twice
 *
 * Who was marked as done in the queue file before is not asked for again. Needs root and Postfix 3.7.
 */
import { waitFor } from '@posthorn/testing/wait-for'
import t, { type Test } from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { onBoth } from './both-systems.ts'
import { QueueWatch } from './queue-watch.ts'
import { DELIVERED, ScriptedAgent, type Answer } from './scripted-agent.ts'

const MAIN = {
  default_transport: 'agent',
  transport_maps: 'inline:{ {silent.test = silent:} }',
  agent_destination_recipient_limit: '2',
  service_throttle_time: '1s',
  queue_run_delay: '1000s',
}

/** The queue manager alone waits no longer than this for an agent. */
const MASTER = ['qmgr unix n - n 300 1 qmgr -o daemon_timeout=2s']

const recipients = ['a@x.test', 'b@x.test', 'c@x.test', 'd@x.test', 'e@x.test']

async function queueManager(instance: Instance): Promise<number> {
  const log = await instance.log()
  return Number([...log.matchAll(/qmgr\[(\d+)\]/g)].at(-1)?.[1])
}

async function killed(t: Test, instance: Instance): Promise<unknown> {
  const watch = new QueueWatch(instance)
  const agent = await ScriptedAgent.start(t, instance, 'agent')
  const hanging = Promise.withResolvers<undefined>()
  agent.answer = async (received): Promise<Answer> => {
    // The first request is done, and marked; the others are still under way when the queue manager dies.
    if (received.recipients.some(({ recipient }) => recipient === 'a@x.test')) agent.mark(received)
    await hanging.promise
    return 'hangUp'
  }
  await watch.send('s@s.test', recipients)
  await waitFor(() => agent.running === 3, 'three deliveries under way')
  const before = agent.told().sort()
  process.kill(await queueManager(instance), 'SIGKILL')
  hanging.resolve(undefined)
  await waitFor(() => agent.running === 0, 'nobody waiting')
  agent.requests.length = 0
  agent.answer = () => DELIVERED
  await waitFor(
    async () => {
      await instance.run('postqueue', ['-f'])
      return agent.requests.length >= 2
    },
    'a new queue manager',
    20_000,
  )
  await watch.settle()
  return { before, after: agent.told().sort(), log: await watch.taken(['qmgr']) }
}

async function silent(t: Test, instance: Instance): Promise<unknown> {
  const watch = new QueueWatch(instance)
  const agent = await ScriptedAgent.start(t, instance, 'silent')
  const never = Promise.withResolvers<'hangUp'>()
  agent.answer = async (_, count) => (count === 1 ? never.promise : DELIVERED)
  await watch.send('s@s.test', ['a@silent.test'])
  await watch.logged(/fatal: /)
  never.resolve('hangUp')
  await waitFor(
    async () => {
      await instance.run('postqueue', ['-f'])
      return agent.requests.length >= 2
    },
    'a new queue manager',
    20_000,
  )
  await watch.settle()
  return { told: agent.told(), log: await watch.taken(['qmgr']) }
}

for (const [what, script, master] of [
  ['killed in mid-delivery', killed, []],
  ['an agent that says nothing', silent, MASTER],
] as const) {
  t.test(what, { timeout: 60_000 }, async (t) => {
    const { postfix, posthorn } = await onBoth(t, { main: MAIN, master }, async (instance) =>
      script(t, instance),
    )
    t.same(posthorn, postfix, what)
    t.comment(JSON.stringify(postfix))
  })
}
