/**
 * exactly-once - 20,000 messages through the whole chain: none lost, none doubled, none changed
 *
 * Three times: undisturbed, with a reload every two seconds, and with a random daemon killed every second.
 * Killing may double a message whose delivery was being recorded (RFC 1047); it must never lose one.
 * Needs root and Postfix's smtp-sink. MESSAGES=N changes the number.
 */
import { mkdtemp, rm, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '@posthorn/testing/wait-for'
import t, { type Test } from 'tap'
import { Instance } from '../../scripts/instance.ts'
import { SmtpSink } from '../../scripts/load.ts'
import { daemonsOf } from './daemons-of.ts'
import { compareArrivals, sendNumbered } from './numbered-mail.ts'

const MESSAGES = Number(process.env['MESSAGES'] ?? 20_000)
const SESSIONS = 50
const RELOAD_MS = 2000
const KILL_MS = 1000
const DRAIN_LIMIT_MS = 240_000

const linesWith = (log: string, pattern: RegExp): string[] =>
  log.split('\n').filter((line) => pattern.test(line))

async function withDisturbance(
  everyMs: number | undefined,
  disturb: () => Promise<void>,
  work: () => Promise<void>,
): Promise<void> {
  const over = new AbortController()
  const disturbing = (async () => {
    while (everyMs !== undefined && !over.signal.aborted) {
      await sleep(everyMs)
      await disturb()
    }
  })()
  try {
    await work()
  } finally {
    over.abort()
    await disturbing
  }
}

async function run(
  t: Test,
  everyMs: number | undefined,
  disturb: (instance: Instance) => Promise<void>,
): Promise<{ duplicates: number; log: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'posthorn-once-'))
  await chmod(directory, 0o755)
  const sink = await SmtpSink.start({ keepsMessages: true })
  const instance = await Instance.create({
    directory: join(directory, 'i'),
    commands: 'posthorn',
    daemons: 'posthorn',
    owner: 'postfix',
    // a queue manager that was killed is started again by the next wake-up, if no mail comes
    master: ['qmgr unix n - n 2 1 qmgr'],
    main: {
      relayhost: `[127.0.0.1]:${sink.port}`,
      // what is deferred because a daemon was killed is tried again soon enough for a test
      minimal_backoff_time: '2s',
      maximal_backoff_time: '4s',
      queue_run_delay: '2s',
      transport_retry_time: '1s',
      service_throttle_time: '1s',
      smtpd_client_connection_rate_limit: '0',
      // a backlog on one destination is what this test makes
      qmgr_clog_warn_time: '0',
    },
  })
  t.teardown(async () => {
    await instance.stop()
    await sink.stop()
    await rm(directory, { recursive: true, force: true })
  })
  await instance.start()
  let repeats = 0
  await withDisturbance(
    everyMs,
    async () => disturb(instance),
    async () => {
      repeats = await sendNumbered(instance.smtpPort, MESSAGES, SESSIONS)
    },
  )
  await waitFor(
    async () => (await instance.undelivered()).length === 0,
    'the queue to drain',
    DRAIN_LIMIT_MS,
  ).catch((error: unknown) => {
    t.fail(String(error))
  })
  const arrival = compareArrivals(await sink.messages(), MESSAGES)
  const log = await instance.log()
  t.same(arrival.missing, [], 'every accepted message arrived')
  t.same(arrival.damaged, [], 'every message arrived byte for byte')
  t.equal((await instance.queued('corrupt')).length, 0, 'no message was found damaged')
  t.comment(`${MESSAGES} messages, ${repeats} sent again, ${arrival.duplicates} duplicates`)
  if (!t.passing())
    t.comment(
      log
        .split('\n')
        .filter((line) => /warning|fatal|panic|error/.test(line))
        .slice(-40)
        .join('\n'),
    )
  return { duplicates: arrival.duplicates, log }
}

t.test('undisturbed', async (t) => {
  const { duplicates, log } = await run(t, undefined, async () => Promise.resolve())
  t.equal(duplicates, 0, 'no message arrived twice')
  t.same(linesWith(log, /: (warning|error|fatal|panic): /), [], 'nobody complained')
})

t.test('while postfix reload runs every two seconds', async (t) => {
  const { duplicates, log } = await run(t, RELOAD_MS, async (instance) => {
    await instance.run('postfix', ['reload'])
  })
  t.equal(duplicates, 0, 'no message arrived twice')
  t.same(linesWith(log, /: (fatal|panic): /), [], 'nobody gave up')
})

t.test('while a random daemon is killed every second', async (t) => {
  const killed: string[] = []
  await run(t, KILL_MS, async (instance) => {
    const daemons = await daemonsOf(await instance.masterPid())
    const victim = daemons[Math.floor(Math.random() * daemons.length)]
    if (victim === undefined) return
    killed.push(/(\S+) -/.exec(victim.name)?.[1] ?? victim.name)
    try {
      process.kill(victim.pid, 'SIGKILL')
    } catch {
      // it ended by itself between the listing and the signal
    }
  })
  t.ok(killed.length > 0, `killed: ${killed.join(' ')}`)
})
