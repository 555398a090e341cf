/**
 * zone-name - the abbreviation of the local time zone, such as `UTC` or `CEST`
 *
 * JavaScript knows offsets but not the abbreviations that mail dates show in a comment. They stand in the last line of the
 * system's time zone file as a POSIX TZ rule (`CET-1CEST,M3.5.0,M10.5.0/3`). Read once per process; where the file is
 * missing (a chroot) or has no such rule, only UTC has a name.
 *
 * Sources: RFC 9636 (TZif) 3.3, POSIX.1 8.3.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface ZoneNames {
  readonly standard: string
  readonly standardMinutes: number
  readonly daylight: string | undefined
}

const rule = /^(<[^>]+>|[A-Za-z]+)([+-]?\d+)(?::(\d+))?(?::\d+)?(<[^>]+>|[A-Za-z]+)?/

/** @param text a POSIX TZ rule; its offsets count westward */
export function parseZoneRule(text: string): ZoneNames | undefined {
  const found = rule.exec(text)
  if (found === null) return undefined
  const [, standard = '', hours = '0', minutes = '0', daylight] = found
  const west = Number(hours) * 60 + (hours.startsWith('-') ? -1 : 1) * Number(minutes)
  return {
    standard: standard.replace(/[<>]/g, ''),
    standardMinutes: west === 0 ? 0 : -west,
    daylight: daylight?.replace(/[<>]/g, ''),
  }
}

let names: ZoneNames | undefined | 'unread' = 'unread'

/** @param offsetMinutes east of Greenwich, at the moment in question; undefined = no name is known */
export function findZoneName(offsetMinutes: number): string | undefined {
  if (names === 'unread') names = readZoneNames(process.env['TZ'])
  if (names === undefined) return offsetMinutes === 0 ? 'UTC' : undefined
  return offsetMinutes === names.standardMinutes ? names.standard : names.daylight
}

function readZoneNames(zone: string | undefined): ZoneNames | undefined {
  const name = zone?.replace(/^:/, '')
  if (name !== undefined && rule.test(name) && !name.includes('/')) return parseZoneRule(name)
  if (name?.includes('..') === true) return undefined
  const path =
    name === undefined || name === '' ? '/etc/localtime' : join('/usr/share/zoneinfo', name)
  try {
    // eslint-disable-next-line n/no-sync -- once per process, 2 KB
    const lines = readFileSync(path, 'latin1').trimEnd().split('\n')
    return parseZoneRule(lines.at(-1) ?? '')
  } catch {
    return undefined // no zone file, or not readable here: dates go without a zone name
  }
}
