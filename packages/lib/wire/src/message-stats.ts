/**
 * message-stats - when a message passed which stage: the MSG_STATS attribute
 *
 * On the wire it is the memory of a C structure on x86-64, 88 octets in base64: five times seconds and microseconds
 * (64 bit, little endian), an int with the reuse count of the connection, four octets of padding.
 * The queue manager fills in the first two times, the delivery agent the others; qmgr(8) and agents log the
 * differences as delays=a/b/c/d.
 */
import { simple, type Field } from './attr-schema.ts'
import { AttrError } from './wire-error.ts'

/** Wall clock in ms with a fraction that keeps microseconds; 0 is "not known". */
export interface MessageStats {
  readonly arrivalMs: number
  readonly activeMs: number
  readonly agentMs: number
  readonly connectedMs: number
  readonly deliveredMs: number
  readonly reuseCount: number
}

export const noStats: MessageStats = {
  arrivalMs: 0,
  activeMs: 0,
  agentMs: 0,
  connectedMs: 0,
  deliveredMs: 0,
  reuseCount: 0,
}

const statsOctets = 88
const high = 0x1_0000_0000
// filled and read between two awaits, never kept
const scratch = Buffer.alloc(statsOctets)

function writeTime(at: number, ms: number): void {
  const us = Math.round(ms * 1000)
  const seconds = Math.floor(us / 1_000_000)
  scratch.writeUInt32LE(seconds % high, at)
  scratch.writeUInt32LE(Math.floor(seconds / high), at + 4)
  scratch.writeUInt32LE(us - seconds * 1_000_000, at + 8)
}

function readTime(octets: Buffer, at: number): number {
  const seconds = octets.readUInt32LE(at) + octets.readInt32LE(at + 4) * high
  return seconds * 1000 + octets.readUInt32LE(at + 8) / 1000
}

export function encodeMessageStats(stats: MessageStats): string {
  writeTime(0, stats.arrivalMs)
  writeTime(16, stats.activeMs)
  writeTime(32, stats.agentMs)
  writeTime(48, stats.connectedMs)
  writeTime(64, stats.deliveredMs)
  scratch.writeInt32LE(stats.reuseCount, 80)
  return scratch.toString('base64')
}

/** @throws {AttrError} unless it is the base64 of 88 octets */
export function parseMessageStats(text: string, name: string): MessageStats {
  const octets = Buffer.from(text, 'base64')
  if (octets.length !== statsOctets || octets.toString('base64') !== text) {
    throw new AttrError(`Cannot parse ${name}: want ${statsOctets} octets in base64`)
  }
  return {
    arrivalMs: readTime(octets, 0),
    activeMs: readTime(octets, 16),
    agentMs: readTime(octets, 32),
    connectedMs: readTime(octets, 48),
    deliveredMs: readTime(octets, 64),
    reuseCount: octets.readInt32LE(80),
  }
}

export function messageStats(name: string): Field<MessageStats> {
  return simple(name, encodeMessageStats, parseMessageStats)
}
