/**
 * mark - the octets that change in a queue file while a message is delivered
 *
 * Records never move and never change their length. One octet says that a recipient needs nothing
 * more; it is not fsync'ed, because losing it means a second delivery, never a lost one.
 */
import { fchmodSync, writeSync } from 'node:fs'
import { encodeRecord, RECORD } from './record.ts'
import { padNumber } from './size-record.ts'

/** The recipient record at this offset was delivered or returned. The descriptor must be writable. */
export function markDone(fd: number, offset: number): void {
  overwrite(fd, RECORD.done, offset)
}

/** The record at this offset no longer counts; its payload stays. */
export function markKilled(fd: number, offset: number): void {
  overwrite(fd, RECORD.killed, offset)
}

/** The delay notice was sent: the record at this offset holds -1 from now on. */
export function markWarned(fd: number, offset: number): void {
  overwrite(fd, encodeRecord(RECORD.warnTime, padNumber(-1)), offset)
}

/** A delivery agent found damage: the queue manager will move the file to the corrupt queue. */
export function markCorrupt(fd: number): void {
  // eslint-disable-next-line n/no-sync -- cached metadata, and rare
  fchmodSync(fd, 0o400)
}

function overwrite(fd: number, octets: string, offset: number): void {
  // eslint-disable-next-line n/no-sync -- 6 us (docs/performance.md 7)
  writeSync(fd, octets, offset, 'latin1')
}
