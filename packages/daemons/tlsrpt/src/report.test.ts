/**
 * report.test - a report and its mail, as in report.ref
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { PeriodResults } from './period-results.ts'
import { compress, makeReport, placeInDelay, type Report } from './report.ts'
import { formatReportMessage } from './report-message.ts'
import {
  expired,
  failed,
  noPolicy,
  noStartTls,
  reporter,
  session,
  stsPolicy,
} from './test/sample-results.ts'

process.env['TZ'] = 'UTC'

/** 2016-04-01, as in RFC 8460 appendix B */
const period = { startSeconds: 1_459_468_800, endSeconds: 1_459_555_200 }

function sampleReport(): Report {
  const results = new PeriodResults()
  const [request] = [session(stsPolicy)]
  results.addSessions(request, failed(stsPolicy, expired, noStartTls), {
    successCount: 5326,
    failureCount: 303,
    counts: [100, 200],
  })
  results.add(
    session(
      failed(stsPolicy, {
        code: 'validation-failure',
        sendingMtaIp: '198.51.100.62',
        receivingIp: '203.0.113.58',
        receivingMxHostname: 'mx-backup.mail.company-y.example',
        receivingMxHelo: 'b\xc3\xbccher',
        failureReasonCode: 'X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED',
      }),
    ),
  )
  results.add(session(noPolicy))
  const of = results.domains.get('company-y.example')
  if (of === undefined) throw new Error('no results')
  return makeReport(reporter, 'company-y.example', period, of)
}

t.test('makeReport() and formatReportMessage() agree with report.ref', (t) => {
  const report = sampleReport()
  const message = formatReportMessage({
    ...{ reporter, report },
    octets: Buffer.from('0123456789'.repeat(12)),
    recipient: 'tls reports@company-y.example',
    dateMs: Date.parse('2016-04-02T03:04:05Z'),
  })
  const text = `${JSON.stringify(JSON.parse(report.json), null, 2)}\n\n${message.join('\n')}\n`
  const reference = new URL('report.ref', import.meta.url)
  if (process.env['POSTHORN_GOLDEN'] === 'write') writeFileSync(reference, text)
  t.equal(text, readFileSync(reference, 'utf8'))
  t.equal(report.sessionCount, 5326 + 303 + 1 + 1)
  t.equal(report.failureCount, 304)
  t.end()
})

t.test('a report is the same each time, and others have another id', (t) => {
  const report = sampleReport()
  t.same(sampleReport(), report)
  const results = { record: '', policies: new Map(), octets: 0 }
  const ids = [
    report.id,
    makeReport(reporter, 'other.example', period, results).id,
    makeReport({ ...reporter, hostname: 'mx2.company-x.example' }, report.domain, period, results)
      .id,
    makeReport(reporter, report.domain, { ...period, startSeconds: 1 }, results).id,
  ]
  t.equal(new Set(ids).size, ids.length)
  t.end()
})

t.test('placeInDelay() spreads domains evenly', (t) => {
  const places = Array.from({ length: 1000 }, (_, i) =>
    placeInDelay(reporter, `d${i}.example`, period),
  )
  t.ok(places.every((place) => place >= 0 && place < 1))
  for (let tenth = 0; tenth < 10; tenth++) {
    const count = places.filter((place) => Math.floor(place * 10) === tenth).length
    t.ok(count > 60 && count < 140, `${count} in tenth ${tenth}`)
  }
  t.end()
})

t.test('compress() is undone by gunzip', async (t) => {
  t.equal(gunzipSync(await compress('{"a":"ü"}')).toString(), '{"a":"ü"}')
})
