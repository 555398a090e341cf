/**
 * report-sender.test - each report once: spread, tried again, given up after a day, and not forgotten by a restart
 */
import { existsSync, writeFileSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { captureLog } from '@posthorn/log/capture-log'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import t, { type Test } from 'tap'
import type { DeliveryOutcome } from './delivery-outcome.ts'
import { PERIOD_LIMITS, PeriodResults } from './period-results.ts'
import { ReportSender } from './report-sender.ts'
import { SentJournal } from './sent-journal.ts'
import { noPolicy, reporter, session } from './test/sample-results.ts'

const HOUR_MS = 3600 * 1000
const DAY_SECONDS = 86_400
const DELAY_SECONDS = 4 * 3600

interface World {
  readonly sender: ReportSender
  readonly clock: { ms: number }
  readonly attempts: string[]
  readonly log: string[]
  readonly path: (kind: string) => string
  outcome: DeliveryOutcome
  /** Runs what is due now, and waits until it has an outcome. */
  run: () => Promise<string[]>
  close: (domains: readonly string[], record?: string) => Promise<void>
}

const sent: DeliveryOutcome = { kind: 'sent', text: 'queued as 3ABC' }
const deferred: DeliveryOutcome = { kind: 'deferred', reason: 'not now' }

function makeWorld(t: Test, directory = temporaryDirectory(t), startSeconds = 10 * DAY_SECONDS) {
  const log = captureLog()
  t.teardown(() => {
    log.restore()
  })
  const period = { startSeconds, endSeconds: startSeconds + DAY_SECONDS }
  const clock = { ms: period.endSeconds * 1000 }
  const attempts: string[] = []
  const path = (kind: string): string => `${directory}/${kind}-${startSeconds}`
  const sender = new ReportSender({
    settings: { reporter, delaySeconds: DELAY_SECONDS },
    now: () => clock.ms,
    deliver: async (report, target) => {
      attempts.push(`${report.domain} ${target.uri}`)
      await nextTurn()
      return world.outcome
    },
    changed: () => undefined,
  })
  const world: World = {
    ...{ sender, clock, attempts, path },
    log: log.lines,
    outcome: sent,
    async run() {
      sender.run()
      await sender.settled()
      return attempts.splice(0)
    },
    async close(domains, record = 'v=TLSRPTv1;rua=mailto:r@x.example') {
      const results = new PeriodResults()
      for (const recipientDomain of domains) {
        results.add(session(noPolicy, { recipientDomain, record }))
      }
      if (!existsSync(path('results'))) writeFileSync(path('results'), '')
      const journal = await SentJournal.load(path('sent'))
      await sender.add({ period, results, journal, path: path('results') })
    },
  }
  return world
}

t.test('reports go out within the delay, not all at once, and then the files go', async (t) => {
  const { sender, clock, log, path, run, close } = makeWorld(t)
  await close(['a.example', 'b.example', 'c.example', 'd.example'])
  const times: number[] = []
  const startMs = clock.ms
  for (let { nextMs } = sender; nextMs < Infinity; { nextMs } = sender) {
    times.push(nextMs - startMs)
    clock.ms = nextMs
    t.equal((await run()).length, 1)
  }
  t.equal(new Set(times).size, 4)
  t.ok(times.every((ms) => ms >= 0 && ms < DELAY_SECONDS * 1000))
  t.ok(sender.isIdle)
  t.notOk(existsSync(path('results')) || existsSync(path('sent')))
  t.match(
    log[0],
    /^TLSRPT report: domain=[a-d].example, from=1970-01-11T00:00:00Z, to=<r@x.example>, sessions=1, failures=0, status=sent \(queued as 3ABC\)$/,
  )
})

t.test('each target gets one; a domain that asks for nothing costs nothing', async (t) => {
  const { sender, clock, run, close } = makeWorld(t)
  await close(['a.example'], 'v=TLSRPTv1;rua=mailto:a@x.example,https://x.example/')
  clock.ms += DELAY_SECONDS * 1000
  t.same(await run(), ['a.example mailto:a@x.example', 'a.example https://x.example/'])
  t.same(await run(), [])
  t.ok(sender.isIdle)
  await close(['b.example'], 'v=spf1 -all')
  t.ok(sender.isIdle)
})

t.test('what is deferred is tried again with growing pauses, for a day', async (t) => {
  const world = makeWorld(t)
  const { sender, clock, log, run, close, path } = world
  world.outcome = deferred
  await close(['a.example'])
  const dueMs = sender.nextMs
  const times: number[] = []
  for (let { nextMs } = sender; nextMs < Infinity; { nextMs } = sender) {
    times.push((nextMs - dueMs) / 60_000)
    clock.ms = nextMs
    await run()
  }
  t.same(times, [0, 5, 15, 35, 75, 155, 315, 555, 795, 1035, 1275, 1440])
  t.match(log.at(-2), /status=deferred \(not now\)$/)
  t.match(log.at(-1), /^warning: TLSRPT report: domain=a.example, .*status=given up \(not now\)$/)
  t.ok(sender.isIdle)
  t.notOk(existsSync(path('results')))
})

t.test('a report that is late, after a long pause of ours, has one attempt at least', async (t) => {
  const { sender, clock, run, close } = makeWorld(t)
  clock.ms += 100 * 24 * HOUR_MS
  await close(['a.example'])
  t.same(await run(), ['a.example mailto:r@x.example'])
  t.ok(sender.isIdle)
})

t.test('a restart sends what is not in the journal', async (t) => {
  const directory = temporaryDirectory(t)
  const domains = ['a.example', 'b.example']
  const first = makeWorld(t, directory)
  await first.close(domains)
  first.clock.ms = first.sender.nextMs
  const [done] = await first.run()
  await first.sender.stop()
  t.ok(existsSync(first.path('results')))

  const second = makeWorld(t, directory)
  await second.close(domains)
  second.clock.ms += DELAY_SECONDS * 1000
  const rest = await second.run()
  t.same(
    [done, ...rest].sort(),
    domains.map((domain) => `${domain} mailto:r@x.example`),
  )
  t.notOk(existsSync(second.path('results')))
})

t.test('stop() leaves what did not succeed for the next process', async (t) => {
  const world = makeWorld(t)
  const { sender, clock, attempts, log, close, path } = world
  world.outcome = deferred
  await close(['a.example'])
  clock.ms += DELAY_SECONDS * 1000
  sender.run()
  await sender.stop()
  t.equal(attempts.length, 1)
  t.same(log, [], 'it was we who did not wait')
  t.ok(existsSync(path('results')))
})

t.test('many that are due at once are delivered all, some at a time', async (t) => {
  const { sender, clock, run, close } = makeWorld(t)
  const domains = Array.from({ length: 30 }, (_, i) => `d${i}.example`)
  await close(domains)
  clock.ms += DELAY_SECONDS * 1000
  sender.run()
  t.equal(sender.nextMs, Infinity, 'nothing waits for its time')
  t.equal(new Set(await run()).size, 30)
  t.ok(sender.isIdle)
})

t.test('periods pile up to a limit, then the oldest is given up', async (t) => {
  const { sender, log, close } = makeWorld(t)
  for (let i = 0; i < 9; i++) await close(['a.example'])
  t.match(log, [/^warning: TLSRPT: 1 reports from 1970-01-11T00:00:00Z on given up: too many/])
  t.notOk(sender.isIdle)
})

t.test('results that had no room are told of', async (t) => {
  const { sender, log, path } = makeWorld(t)
  const results = new PeriodResults({ ...PERIOD_LIMITS, domains: 0 })
  results.add(session(noPolicy))
  const journal = await SentJournal.load(path('sent'))
  const period = { startSeconds: 0, endSeconds: DAY_SECONDS }
  await sender.add({ period, results, journal, path: path('results') })
  t.match(log, [
    'warning: TLSRPT: 1 results from 1970-01-01T00:00:00Z on are not in the reports: limits',
  ])
})
