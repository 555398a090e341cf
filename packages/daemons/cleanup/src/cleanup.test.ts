/**
 * cleanup.test - record streams in, queue files out, compared with those of Postfix
 *
 * cleanup.ref shows what cleanup(8) of Postfix 3.7.11 made of cleanup-cases.ts.
 */
process.env['TZ'] = 'UTC'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { captureLog } from '@posthorn/log/capture-log'
import { CASES, DEFAULT_FLAGS } from './cleanup-cases.ts'
import { CleanupFixture } from './cleanup-fixture.ts'
import { reportCase, reportLog } from './cleanup-report.ts'

const reference = readFileSync(new URL('cleanup.ref', import.meta.url), 'latin1')

/** group title -> what Postfix wrote */
const expected = new Map(
  reference
    .split(/^== /m)
    .slice(1)
    .map((text): [string, string] => {
      const end = text.indexOf('\n')
      return [text.slice(0, end), text.slice(end + 1)]
    }),
)

for (const { title, settings, cases } of CASES) {
  t.test(`cleanup(8) and Postfix agree: ${title}`, async (t) => {
    const fixture = await CleanupFixture.open(settings)
    const log = captureLog()
    try {
      let report = ''
      for (const { name, flags, records } of cases) {
        report += reportCase(name, await fixture.submit(flags ?? DEFAULT_FLAGS, records))
      }
      t.equal(report + reportLog(log.lines), expected.get(title))
    } finally {
      log.restore()
      fixture.close()
    }
  })

  t.test(`cleanup(8) does not care how records arrive: ${title}`, async (t) => {
    const fixture = await CleanupFixture.open(settings)
    const log = captureLog()
    try {
      for (const { name, flags, records } of cases) {
        const whole = await fixture.submit(flags ?? DEFAULT_FLAGS, records)
        for (const pieceOctets of [1, 7, 1000]) {
          const size = records.reduce((sum, [, payload]) => sum + payload.length, 0)
          if (size > 4000 && pieceOctets < 1000) continue
          const pieces = await fixture.submit(flags ?? DEFAULT_FLAGS, records, { pieceOctets })
          t.equal(reportCase(name, pieces), reportCase(name, whole), `${name} in ${pieceOctets}`)
        }
      }
    } finally {
      log.restore()
      fixture.close()
    }
  })
}
