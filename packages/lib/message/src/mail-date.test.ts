/** mail-date.test - dates in headers */
process.env['TZ'] = 'Europe/Berlin'
import t from 'tap'
import { formatCompactDate, formatMailDate } from './mail-date.ts'
import { parseZoneRule } from './zone-name.ts'

t.test('formatMailDate() gives local time, offset and zone', (t) => {
  const summer = formatMailDate(Date.UTC(2026, 6, 5, 23, 3, 11))
  t.match(summer, /^Mon, {2}6 Jul 2026 01:03:11 \+0200( \(CEST\))?$/)
  const winter = formatMailDate(Date.UTC(2026, 10, 20, 23, 3, 11))
  t.match(winter, /^Sat, 21 Nov 2026 00:03:11 \+0100( \(CET\))?$/)
  t.equal(formatMailDate(Date.UTC(2026, 10, 20, 23, 3, 11, 999)), winter)
  t.equal(formatCompactDate(Date.UTC(2026, 10, 20, 23, 3, 11)), '20261120230311')
  t.end()
})

t.test('parseZoneRule() reads the last line of a zone file', (t) => {
  const berlin = { standard: 'CET', standardMinutes: 60, daylight: 'CEST' }
  t.strictSame(parseZoneRule('CET-1CEST,M3.5.0,M10.5.0/3'), berlin)
  t.strictSame(parseZoneRule('UTC0'), { standard: 'UTC', standardMinutes: 0, daylight: undefined })
  const chatham = { standard: '+1245', standardMinutes: 765, daylight: '+1345' }
  t.strictSame(parseZoneRule('<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45'), chatham)
  const newfoundland = { standard: 'NST', standardMinutes: -210, daylight: 'NDT' }
  t.strictSame(parseZoneRule('NST3:30NDT,M3.2.0,M11.1.0'), newfoundland)
  t.equal(parseZoneRule(''), undefined)
  t.end()
})
