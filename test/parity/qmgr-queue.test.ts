/**
 * qmgr-queue - both queue managers keep messages for the same time, and let go of them in the same way
 *
 * Back-off, expiry, delay warnings, hold, flush, damage; destinations that are out of reach; requests that a message
 * carries (redirect, filter, VERP, reports). Messages get old by a stroke of the pen in their queue file. Needs
 * root and Postfix 3.7.
 */
import { chmod, chown, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { waitFor } from '@posthorn/testing/wait-for'
import { DELIVERY_FLAGS, type DeliveryRequest } from '@posthorn/wire/delivery-request'
import t, { type Test } from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { onBoth } from './both-systems.ts'
import { QueueWatch } from './queue-watch.ts'
import { DELIVERED, facts, LEFT_OVER, ScriptedAgent, unreachable } from './scripted-agent.ts'

const PROGRAMS = ['qmgr', 'error', 'bounce', 'smtp', 'local'] as const
const DAY = 86_400

/** What is wrong with a damaged file each system says in its own words. */
const OWN_WORDS =
  /unexpected EOF in data|Cannot read record|rcpt count mismatch|message rejected|no trace file/

/** Flags but for connection caching: ours remembers for a second that a destination was busy (docs/differences.md). */
function wishes({ flags }: DeliveryRequest): number {
  return flags & ~(DELIVERY_FLAGS.connectionLoad | DELIVERY_FLAGS.connectionStore)
}

const MAIN = {
  default_transport: 'agent',
  local_transport: 'agent',
  transport_maps:
    'inline:{ {busy.test = busy:}, {later.test = retry:4.4.1 come later}, {rate.test = rate:}, {pause.test = pause:} }',
  smtpd_sender_restrictions: `check_sender_access inline:{ {hold@s.test = HOLD for a look}, {move@s.test = REDIRECT moved@new.test},
    {filter@s.test = FILTER agent:[Filter.test]:10025}, {nowhere@s.test = FILTER agent:} }`,
  busy_destination_recipient_limit: '2',
  rate_destination_rate_delay: '1s',
  rate_destination_recipient_limit: '2',
  pause_transport_rate_delay: '1s',
  pause_destination_recipient_limit: '2',
  minimal_backoff_time: '1000s',
  maximal_backoff_time: '2000s',
  bounce_queue_lifetime: '2d',
  delay_warning_time: '30d',
  queue_run_delay: '1000s',
  confirm_delay_cleared: 'yes',
}

/** Makes a message in the deferred queue older. */
async function age(
  instance: Instance,
  id: string,
  seconds: number,
  what: 'message' | 'warning' = 'message',
): Promise<void> {
  const path = join(instance.queueDirectory, 'deferred', id.charAt(0), id)
  const text = await readFile(path, 'latin1')
  const older =
    what === 'message'
      ? text.replace(
          /create_time=(\d{10})/,
          (_, time: string) => `create_time=${Number(time) - seconds}`,
        )
      : text.replace(
          /W\x0f( +\d+)/,
          (_, time: string) => 'W\x0f' + String(Number(time) - seconds).padStart(15),
        )
  if (older === text) throw new Error(`Cannot find the ${what} time in ${path}`)
  await writeFile(path, older, 'latin1')
}

/** Seconds until the next try, as the time stamp says. */
async function patience(instance: Instance, id: string): Promise<number> {
  const path = join(instance.queueDirectory, 'deferred', id.charAt(0), id)
  return Math.round((await stat(path)).mtimeMs / 1000 - Date.now() / 1000)
}

const roughly = (seconds: number): number => Math.round(seconds / 20) * 20

async function script(t: Test, instance: Instance): Promise<Record<string, unknown>> {
  const watch = new QueueWatch(instance)
  const report: Record<string, unknown> = {}
  const agents = new Map<string, ScriptedAgent>()
  for (const name of ['agent', 'busy', 'rate', 'pause'])
    agents.set(name, await ScriptedAgent.start(t, instance, name))
  const agent = (name = 'agent'): ScriptedAgent => {
    const found = agents.get(name)
    if (found === undefined) throw new Error(`Cannot find agent ${name}`)
    found.requests.length = 0
    found.mostRunning = 0
    found.answer = () => DELIVERED
    return found
  }
  const end = async (what: string, ...seen: unknown[]): Promise<void> => {
    await watch.settle()
    report[what] = [
      ...seen.map((one) => (typeof one === 'function' ? (one as () => unknown)() : one)),
      (await watch.taken(PROGRAMS)).filter((line) => !OWN_WORDS.test(line)),
    ]
  }
  const again = async (id: string): Promise<void> => {
    const count = agents.get('agent')?.requests.length ?? 0
    await instance.run('postqueue', ['-i', id])
    await waitFor(() => (agents.get('agent')?.requests.length ?? 0) > count, 'another try')
    await watch.settle()
  }
  const told = (one: ScriptedAgent) => (): string[] => one.told().sort()

  {
    // back-off
    const some = agent()
    some.answer = ({ request }) => (request.sender === '' ? DELIVERED : LEFT_OVER)
    const id = await watch.send('s@s.test', ['a@x.test'])
    await watch.settle()
    const waits = [roughly(await patience(instance, id))]
    for (const seconds of [1200, 700, 5000]) {
      await age(instance, id, seconds)
      await again(id)
      waits.push(roughly(await patience(instance, id)))
    }
    await end('back-off', waits)
    // expiry without defer log, then with the sender's
    await age(instance, id, 5 * DAY)
    await again(id)
    await watch.logged(/: removed/, 2)
    await end('expired', told(some))
  }
  {
    // null sender
    const some = agent()
    some.answer = () => LEFT_OVER
    const id = await watch.send('', ['a@x.test'])
    await watch.settle()
    await age(instance, id, 2 * DAY)
    await again(id)
    await end('null sender, expired', told(some))
  }
  {
    // delay warning
    const some = agent()
    await watch.submit('s@s.test', ['a@later.test'])
    await watch.logged(/to=<a@later.test>/)
    await watch.settle()
    const [id = ''] = (await instance.queued('deferred')).map((path) => basename(path))
    const tryAgain = async (): Promise<void> => {
      await instance.run('postqueue', ['-i', id])
      await watch.logged(/to=<a@later.test>/)
    }
    await end('deferred by the retry service', told(some))
    await age(instance, id, 30 * DAY + 100, 'warning')
    await tryAgain()
    await watch.logged(/: removed/)
    await end('delay warning', told(some))
    await tryAgain()
    await end('delay warning comes once', told(some))
    await age(instance, id, 5 * DAY)
    await tryAgain()
    await watch.logged(/: removed/, 2)
    await end('expired with a defer log', told(some))
  }
  {
    // hold
    const some = agent()
    const id = await watch.send('hold@s.test', ['a@x.test'])
    await watch.settle()
    const held = await instance.queued('hold')
    await instance.run('postsuper', ['-H', id])
    await instance.run('postqueue', ['-f'])
    await watch.logged(new RegExp(`${id}: removed`))
    await end('hold and release', held.length, told(some))
  }
  {
    // requests from access maps
    const some = agent()
    await watch.send('move@s.test', ['a@x.test', 'b@y.test', 'c@x.test'])
    await end('redirect', told(some))
    some.requests.length = 0
    await watch.send('filter@s.test', ['a@x.test', 'b@y.test', 'c@busy.test'])
    await end('content filter', told(some))
    some.requests.length = 0
    await watch.send('nowhere@s.test', ['a@x.test', 'b@y.test'])
    await end('content filter without next-hop', told(some))
  }
  {
    // VERP and reports
    const some = agent()
    await watch.submit('list@s.test', ['a@x.test', 'b@x.test', 'c+d@y.test'], { args: ['-XV'] })
    await end('VERP', told(some), () => some.requests.map(({ request }) => request.sender).sort())
    some.requests.length = 0
    await watch.submit('list@s.test', ['a@x.test', 'b@x.test'], { args: ['-XV-='] })
    await end('VERP, other delimiters', told(some), () =>
      some.requests.map(({ request }) => request.sender).sort(),
    )
    some.requests.length = 0
    await watch.submit('s@s.test', ['a@x.test'], { args: ['-v'] })
    await end('sendmail -v', told(some), () => some.requests.map(({ request }) => wishes(request)))
    some.requests.length = 0
    await watch.submit('s@s.test', ['a@x.test'], { args: ['-bv'] })
    await end('sendmail -bv', told(some), () => some.requests.map(({ request }) => wishes(request)))
    some.requests.length = 0
    await watch.send('s@s.test', ['a@x.test', 'b@x.test'], {
      rcpt: ' NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first@x.test',
    })
    await end('NOTIFY', told(some), () => {
      const request = some.requests[0]?.request
      return request && facts({ ...request, flags: wishes(request) })
    })
  }
  {
    // notice about a notice
    const some = agent()
    await watch.submit('s@s.test', ['double-bounce@mx.example.test'])
    await end('mail to double-bounce', told(some))
  }
  {
    // dead destination
    const busy = agent('busy')
    const open = Promise.withResolvers<undefined>()
    busy.answer = async () => (await open.promise, unreachable('connect to busy.test: no way'))
    await watch.send(
      's@s.test',
      Array.from({ length: 20 }, (_, at) => `u${at}@busy.test`),
    )
    await waitFor(() => busy.running === 5, 'the initial concurrency')
    open.resolve(undefined)
    await watch.logged(/delivery temporarily suspended/, 10)
    await waitFor(() => busy.running === 0, 'all answered')
    await end(
      'dead destination',
      () => busy.mostRunning,
      () => busy.requests.length,
    )
    const id = await watch.send('s@s.test', ['v@busy.test'])
    await watch.logged(/to=<v@busy.test>/)
    await end('dead destination, next message', () => busy.requests.length)
    busy.answer = () => DELIVERED
    await instance.run('postqueue', ['-i', id])
    await watch.logged(new RegExp(`${id}: removed`))
    await end('flushing one message revives its destination', () => busy.requests.length)
    await instance.run('postqueue', ['-f'])
    await waitFor(async () => (await instance.queued()).length === 0, 'an empty queue')
    await end('flushing the queue delivers the rest', () => busy.requests.length)
  }
  {
    // flush of a site
    const some = agent()
    some.answer = () => LEFT_OVER
    await watch.send('s@s.test', ['a@site.test'])
    const other = await watch.send('s@s.test', ['a@x.test'])
    await watch.settle()
    some.answer = () => DELIVERED
    await instance.run('postqueue', ['-i', other])
    await watch.logged(new RegExp(`${other}: removed`))
    await end('flush by id', told(some))
    await instance.run('postqueue', ['-f'])
    await waitFor(async () => (await instance.queued()).length === 0, 'an empty queue')
    await end('flush of all', told(some))
  }
  {
    // force-expire
    const some = agent()
    some.answer = ({ request }) => (request.sender === '' ? DELIVERED : LEFT_OVER)
    const id = await watch.send('s@s.test', ['a@x.test'])
    await watch.settle()
    await instance.run('postsuper', ['-e', id])
    await instance.run('postqueue', ['-i', id])
    await watch.logged(/: removed/, 2)
    await end('force-expire without defer log', told(some))
  }
  {
    // rate delays
    const starts: number[] = []
    for (const name of ['rate', 'pause']) {
      const slow = agent(name)
      starts.length = 0
      slow.answer = () => (starts.push(Date.now()), DELIVERED)
      await watch.send(
        's@s.test',
        Array.from({ length: 6 }, (_, at) => `u${at}@${name}.test`),
      )
      await watch.logged(/: removed/)
      const gaps = starts.slice(1).map((at, index) => at - (starts[index] ?? 0) > 900)
      await end(`${name} delay`, gaps, told(slow), () => slow.mostRunning)
    }
  }
  {
    // damage
    const some = agent()
    some.answer = () => LEFT_OVER
    const id = await watch.send('s@s.test', ['a@x.test'])
    await watch.settle()
    const path = join(instance.queueDirectory, 'deferred', id.charAt(0), id)
    const whole = await readFile(path)
    const { uid, gid } = await stat(path)
    const put = async (name: string, octets: Buffer): Promise<void> => {
      const file = join(instance.queueDirectory, 'incoming', name)
      await writeFile(file, octets, { mode: 0o600 })
      await chown(file, uid, gid)
      await chmod(file, 0o700)
    }
    await put('ABCDEF01', whole.subarray(0, 150))
    await put('ABCDEF02', Buffer.from('garbage'))
    await put('ABCDEF03', Buffer.alloc(0))
    await instance.run('postqueue', ['-f'])
    await waitFor(
      async () => (await instance.queued('corrupt')).length === 3,
      'three corrupt files',
    )
    await end('damaged files', (await instance.queued('corrupt')).sort())
  }
  return report
}

t.test('life in the queue', { timeout: 90_000 }, async (t) => {
  const { postfix, posthorn } = await onBoth(t, { main: MAIN }, async (instance) =>
    script(t, instance),
  )
  for (const [what, seen] of Object.entries(postfix)) t.same(posthorn[what], seen, what)
})
