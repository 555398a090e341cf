/**
 * mail-date - dates as mail headers show them
 *
 * `Fri, 20 Nov 2026 23:03:11 +0000 (UTC)`: local time, its offset, and the name of the zone as a comment. The day of the
 * month is padded with a blank to two columns, as Postfix 3.7 does (3.9 writes two digits).
 *
 * Sources: RFC 5322 3.3.
 */
import { findZoneName } from './zone-name.ts'

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const MONTHS = [
  ...['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun'],
  ...['Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'],
]

let lastSecond = NaN
let lastText = ''

/** @param ms wall-clock time in milliseconds since 1970. Cheap within the same second. */
export function formatMailDate(ms: number): string {
  const second = Math.floor(ms / 1000)
  if (second !== lastSecond) {
    lastText = format(new Date(second * 1000))
    lastSecond = second
  }
  return lastText
}

function format(date: Date): string {
  const offset = -date.getTimezoneOffset()
  const zone = findZoneName(offset)
  const day = String(date.getDate()).padStart(2, ' ')
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':')
  const distance = Math.abs(offset)
  const east = `${offset < 0 ? '-' : '+'}${twoDigits(Math.floor(distance / 60))}${twoDigits(distance % 60)}`
  const words = [
    `${DAYS[date.getDay()] ?? ''},`,
    day,
    MONTHS[date.getMonth()] ?? '',
    String(date.getFullYear()),
    time,
    east,
  ]
  return words.join(' ') + (zone === undefined ? '' : ` (${zone})`)
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}

/** `20261120230311`: the UTC time in a generated Message-Id. */
export function formatCompactDate(ms: number): string {
  return new Date(ms).toISOString().replace(/\D/g, '').slice(0, 14)
}
