/**
 * status-message - what a daemon tells master(8) on descriptor 5
 *
 * Twelve octets in native (little-endian) order: int32 process id, uint32 generation, int32 state. A daemon says TAKEN
 * when it starts serving a client and AVAIL when it can take the next. State 2 is ours alone: a daemon of ours under
 * a master(8) of ours says with its first message that it serves as many clients as it was told to. State 3, also ours: it
 * accepts no more, and ends when the clients that it has are gone.
 *
 * Source: Postfix 3.7 master protocol.
 */

export const PROCESS_STATE = { taken: 0, available: 1, shares: 2, leaving: 3 } as const

export interface StatusMessage {
  readonly pid: number
  readonly generation: number
  readonly state: number
}

export const statusMessageOctets = 12

export function encodeStatusMessage(message: StatusMessage): string {
  const octets = Buffer.allocUnsafe(statusMessageOctets)
  octets.writeInt32LE(message.pid, 0)
  octets.writeUInt32LE(message.generation >>> 0, 4)
  octets.writeInt32LE(message.state, 8)
  return octets.toString('latin1')
}

/** The messages that are complete, and the octets of one that is not. Unknown states are passed on. */
export function decodeStatusMessages(octets: string): { messages: StatusMessage[]; rest: string } {
  const buffer = Buffer.from(octets, 'latin1')
  const messages: StatusMessage[] = []
  let at = 0
  for (; at + statusMessageOctets <= buffer.length; at += statusMessageOctets) {
    messages.push({
      pid: buffer.readInt32LE(at),
      generation: buffer.readUInt32LE(at + 4),
      state: buffer.readInt32LE(at + 8),
    })
  }
  return { messages, rest: octets.slice(at) }
}
