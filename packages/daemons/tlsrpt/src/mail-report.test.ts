/**
 * mail-report.test - a report as cleanup(8) gets it, and what becomes of it when cleanup(8) does not take it
 */
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { announceCleanup, CLEANUP_FLAGS, SubmissionReply } from '@posthorn/wire/cleanup-protocol'
import { FakeService } from '@posthorn/wire/fake-service'
import t, { type Test } from 'tap'
import { mailReport } from './mail-report.ts'
import { PeriodResults } from './period-results.ts'
import { makeReport } from './report.ts'
import { noPolicy, reporter, session } from './test/sample-results.ts'

const END = encodeRecord(RECORD.extracted) + encodeRecord(RECORD.end)
const flags = CLEANUP_FLAGS.filter | CLEANUP_FLAGS.milter | CLEANUP_FLAGS.map

function startCleanup(t: Test, status: number): { service: FakeService; received: string[] } {
  const received: string[] = []
  const service = FakeService.start(async (channel) => {
    announceCleanup(channel, '3ABC')
    received.push(JSON.stringify(await channel.receive()))
    received.push(await channel.stream.readUntil(END, 100_000))
    const reason = status === 0 ? '' : 'queue file write error'
    channel.send(SubmissionReply.encode({ status, reason, stays: false }))
  })
  t.teardown(() => {
    service[Symbol.dispose]()
  })
  return { service, received }
}

const results = new PeriodResults()
results.add(session(noPolicy))
const period = { startSeconds: 0, endSeconds: 86_400 }
const report = makeReport(
  reporter,
  'company-y.example',
  period,
  results.domains.get('company-y.example') ?? { record: '', policies: new Map(), octets: 0 },
)
const message = {
  ...{ reporter, report, octets: Buffer.from('gz'), dateMs: 0 },
  recipient: 'reports@company-y.example',
}

t.test('mailReport() queues a message from the reporter to the target', async (t) => {
  const { service, received } = startCleanup(t, 0)
  const outcome = await mailReport({ path: service.path, flags, timeoutMs: 5000 }, message)
  t.same(outcome, { kind: 'sent', text: 'queued as 3ABC' })
  const [opening, records = ''] = received
  t.equal(opening, `[["flags","${flags}"]]`)
  for (const record of [
    encodeRecord(RECORD.sender, 'postmaster@company-x.example'),
    encodeRecord(RECORD.recipient, 'reports@company-y.example'),
    encodeRecord(RECORD.line, 'Received: by mx.company-x.example (Posthorn)'),
    encodeRecord(RECORD.line, 'To: reports@company-y.example'),
    encodeRecord(RECORD.line, 'TLS-Required: No'),
    encodeRecord(RECORD.line, 'Z3o='),
  ]) {
    t.ok(records.includes(record), record)
  }
})

t.test('mailReport() defers what cleanup(8) does not take', async (t) => {
  const { service } = startCleanup(t, 2)
  const cleanup = { path: service.path, flags, timeoutMs: 5000 }
  t.same(await mailReport(cleanup, message), { kind: 'deferred', reason: 'queue file write error' })
  const absent = { ...cleanup, path: `${service.path}-absent` }
  t.same(await mailReport(absent, message), {
    kind: 'deferred',
    reason: 'No such file or directory',
  })
})
