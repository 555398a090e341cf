/**
 * time-record - when a message arrived, and the clock that says so
 *
 * `T` is "seconds microseconds"; files of old versions have seconds only.
 */
import type { QueueTime } from './queue-id.ts'
import { encodeRecord, RECORD } from './record.ts'

/** The wall clock. Node's gives milliseconds; the microseconds below them come from the monotone clock. */
export function queueTimeNow(): QueueTime {
  const ms = Date.now()
  const below = Math.floor(performance.now() * 1000) % 1000
  return { seconds: Math.floor(ms / 1000), microseconds: (ms % 1000) * 1000 + below }
}

export function encodeTimeRecord(time: QueueTime): string {
  return encodeRecord(RECORD.time, `${time.seconds} ${time.microseconds}`)
}

/** Undefined when the payload does not begin with a number. */
export function parseTimeRecord(payload: string): QueueTime | undefined {
  const found = /^\s*(\d{1,15})(?:\D+(\d{1,15}))?/.exec(payload)
  if (found === null) return undefined
  return { seconds: Number(found[1]), microseconds: Number(found[2] ?? 0) }
}
