/**
 * collector.test - results survive a restart, periods end in time, and nothing that comes in does harm
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { captureLog } from '@posthorn/log/capture-log'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { waitFor } from '@posthorn/testing/wait-for'
import { encodeTlsrptDatagram } from '@posthorn/wire/tlsrpt-protocol'
import t, { type Test } from 'tap'
import { Collector } from './collector.ts'
import type { Report } from './report.ts'
import { ReportSender } from './report-sender.ts'
import { expired, failed, reporter, session, stsPolicy } from './test/sample-results.ts'

const DAY_MS = 86_400_000
const START_MS = 20_000 * DAY_MS

/** What the files of the period that begins then are called. */
const nameAt = (startMs: number): string => `${startMs / 1000}-${(startMs + DAY_MS) / 1000}`

interface World {
  readonly collector: Collector
  readonly sender: ReportSender
  readonly reports: Report[]
  readonly log: string[]
}

async function makeWorld(
  t: Test,
  directory: string,
  clock: { ms: number },
  intervalSeconds = DAY_MS / 1000,
): Promise<World> {
  const log = captureLog()
  t.teardown(() => {
    log.restore()
  })
  const now = (): number => clock.ms
  const reports: Report[] = []
  const collector = new Collector({ directory, intervalSeconds, now })
  const sender = new ReportSender({
    settings: { reporter, delaySeconds: 0 },
    now,
    deliver: async (report) => {
      reports.push(report)
      return Promise.resolve({ kind: 'sent', text: '' })
    },
    changed: () => {
      collector.wake()
    },
  })
  await collector.start(sender)
  t.teardown(async () => collector.stop())
  return { collector, sender, reports, log: log.lines }
}

const success = encodeTlsrptDatagram(session(stsPolicy))
const failure = encodeTlsrptDatagram(session(failed(stsPolicy, expired)))

t.test('a period ends, and its report goes out', async (t) => {
  const clock = { ms: START_MS + 1000 }
  const directory = temporaryDirectory(t)
  const { collector, sender, reports } = await makeWorld(t, directory, clock)
  collector.add(success)
  collector.add(failure)
  clock.ms = START_MS + DAY_MS - 1
  await collector.tick()
  t.equal(reports.length, 0)
  t.same(readdirSync(directory), [`results-${nameAt(START_MS)}`])
  clock.ms = START_MS + DAY_MS
  collector.add(success)
  await collector.tick()
  await waitFor(() => sender.isIdle && !existsSync(`${directory}/results-${nameAt(START_MS)}`))
  t.match(reports, [{ domain: 'company-y.example', sessionCount: 2, failureCount: 1 }])
  await collector.stop()
  t.same(readdirSync(directory), [`results-${nameAt(START_MS + DAY_MS)}`], 'the next has begun')
})

t.test('results are on the disk after a minute, and read by the next process', async (t) => {
  const clock = { ms: START_MS + 1000 }
  const directory = temporaryDirectory(t)
  const results = `${directory}/results-${nameAt(START_MS)}`
  const first = await makeWorld(t, directory, clock)
  first.collector.add(success)
  clock.ms += 59_999
  await first.collector.tick()
  t.notOk(existsSync(results))
  clock.ms += 1
  await first.collector.tick()
  t.ok(existsSync(results))
  const saved = readFileSync(results)
  first.collector.add(failure)
  clock.ms += 59_999
  await first.collector.tick()
  t.same(readFileSync(results), saved, 'once a minute')

  // as if the process had been killed: what was added since is lost
  const second = await makeWorld(t, directory, clock)
  t.ok(second.collector.isWaiting)
  second.collector.add(failure)
  await second.collector.stop()

  clock.ms = START_MS + 2 * DAY_MS
  const third = await makeWorld(t, directory, clock)
  await third.collector.tick()
  await waitFor(() => third.sender.isIdle)
  t.match(third.reports, [{ sessionCount: 2, failureCount: 1 }])
  t.notOk(third.collector.isWaiting)
})

t.test('the timer ends a period by itself', async (t) => {
  const clock = {
    get ms() {
      return Date.now()
    },
  }
  const { collector, reports } = await makeWorld(t, temporaryDirectory(t), clock, 1)
  const alive = setInterval(() => undefined, 1000)
  t.teardown(() => {
    clearInterval(alive)
  })
  collector.add(success)
  await waitFor(() => reports.length === 1)
  t.match(reports, [{ sessionCount: 1 }])
})

t.test('an interval that was changed ends the period as it was begun', async (t) => {
  const clock = { ms: START_MS + 1000 }
  const directory = temporaryDirectory(t)
  const first = await makeWorld(t, directory, clock)
  first.collector.add(success)
  await first.collector.stop()
  const second = await makeWorld(t, directory, clock, 3600)
  clock.ms += 2 * 3600 * 1000
  second.collector.add(success)
  await second.collector.tick()
  t.equal(second.reports.length, 0)
  clock.ms = START_MS + DAY_MS
  await second.collector.tick()
  await waitFor(() => second.reports.length === 1)
  t.match(second.reports, [{ sessionCount: 2 }])
})

t.test(
  'a period in the future, from when the clock was wrong, takes no results of today',
  async (t) => {
    const clock = { ms: START_MS + 1000 * DAY_MS }
    const directory = temporaryDirectory(t)
    const { collector, sender, reports } = await makeWorld(t, directory, clock)
    collector.add(success)
    clock.ms = START_MS + 1000
    collector.add(failure)
    clock.ms -= 2000
    collector.add(failure)
    clock.ms = START_MS + DAY_MS
    await collector.tick()
    await sender.settled()
    t.match(reports, [{ sessionCount: 2, failureCount: 2 }])
    t.same(readdirSync(directory), [`results-${nameAt(START_MS + 1000 * DAY_MS)}`])
  },
)

t.test('a damaged file and a journal without results are put away', async (t) => {
  const directory = temporaryDirectory(t)
  writeFileSync(`${directory}/results-${nameAt(START_MS)}`, 'tlsrpt 1')
  writeFileSync(`${directory}/results-${nameAt(0)}.tmp`, '')
  writeFileSync(`${directory}/sent-${nameAt(0)}`, '')
  writeFileSync(`${directory}/README`, '')
  const { collector, log } = await makeWorld(t, directory, { ms: START_MS })
  t.match(log, [/^warning: .*results-[\d-]+\.damaged$/])
  t.same(readdirSync(directory).sort(), ['README', `results-${nameAt(START_MS)}.damaged`])
  t.notOk(collector.isWaiting)
})

t.test('malformed datagrams cost a warning a minute', async (t) => {
  const clock = { ms: START_MS }
  const { collector, log } = await makeWorld(t, temporaryDirectory(t), clock)
  for (let i = 0; i < 100; i++) collector.add('{}')
  t.match(log, ['warning: Cannot parse "d" of a TLS result: want 1 to 255 octets'])
  clock.ms += 60_000
  collector.add(encodeTlsrptDatagram(session(stsPolicy, { recipientDomain: 'a b' })))
  t.match(log[1], 'warning: Cannot count a TLS result for "a b": no domain')
  t.equal(log.length, 2)
})

t.test('a disk that cannot be written to costs warnings, and no report', async (t) => {
  const directory = `${temporaryDirectory(t)}/file/tlsrpt`
  writeFileSync(directory.replace('/tlsrpt', ''), '')
  const clock = { ms: START_MS }
  const { collector, sender, reports, log } = await makeWorld(t, directory, clock)
  collector.add(success)
  clock.ms += DAY_MS
  await collector.tick()
  await sender.settled()
  t.equal(reports.length, 1)
  const complaints = log.filter((line) => /^warning: TLSRPT: .*: Not a directory$/.test(line))
  t.ok(complaints.length >= 2)
})
