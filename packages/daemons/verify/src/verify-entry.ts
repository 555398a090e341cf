/**
 * verify-entry - what the cache knows about an address, as text
 *
 *     status:probed:updated:text
 *
 * status as in RECIPIENT_STATUS; probed: when the outstanding probe was sent, else 0; updated: when a result came, else
 * 0; both in seconds. The text may contain colons.
 *
 * Source: Postfix 3.7 verify(8).
 */
import { RECIPIENT_STATUS } from '@posthorn/wire/verify-protocol'

export interface VerifyEntry {
  readonly status: number
  readonly probedSeconds: number
  readonly updatedSeconds: number
  readonly text: string
}

const { ok, todo } = RECIPIENT_STATUS

export function formatVerifyEntry(entry: VerifyEntry): string {
  return `${entry.status}:${entry.probedSeconds}:${entry.updatedSeconds}:${entry.text}`
}

/** undefined for text that is no entry */
export function parseVerifyEntry(text: string): VerifyEntry | undefined {
  const match = /^([0-9]+):([0-9]{1,15}):([0-9]{1,15}):([^]*)$/.exec(text)
  if (match === null) return undefined
  const [status, probedSeconds, updatedSeconds] = match.slice(1, 4).map(Number)
  if (status === undefined || probedSeconds === undefined || updatedSeconds === undefined) {
    return undefined
  }
  if (status < ok || status > todo || (probedSeconds === 0 && updatedSeconds === 0))
    return undefined
  return { status, probedSeconds, updatedSeconds, text: match[4] ?? '' }
}
