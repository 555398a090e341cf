/**
 * cleanup-report - what cleanup(8) did, as text for comparison (for tests)
 *
 * Queue ids and the time of day are replaced; octets that are not printable ASCII are shown as `\xHH`.
 */
import type { Submission } from './cleanup-fixture.ts'

export function reportCase(name: string, result: Submission): string {
  const verdict = `status=${result.status} reason="${result.reason}" queue=${result.queue ?? 'none'}`
  const records = result.records.map(([type, payload]) => `    ${type} ${abridge(payload)}`)
  return neutral([`  ${name}: ${verdict}`, ...records].join('\n')) + '\n'
}

export function reportLog(lines: readonly string[]): string {
  return lines.map((line) => neutral(`  log: ${abridge(line)}`) + '\n').join('')
}

function abridge(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 20)}... (${text.length} octets)`
}

function neutral(text: string): string {
  return text
    .replace(/\b[0-9A-F]{5}[0-9A-F]{4,9}\b/g, 'QUEUEID')
    .replace(/<\d{14}\./g, '<TIME.')
    .replace(/create_time=\d+/g, 'create_time=NOW')
    .replace(/[^\n\x20-\x7e]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
