/**
 * refuse-record - a record that must not stand where it stands
 *
 * Pointers and padding belong to files, not to conversations: a client that sends them could make readers of the queue
 * file jump.
 */
import { log } from '@posthorn/log/log'
import { RECORD } from '@posthorn/queue/record'
import type { Message } from './message.ts'

export function refuseRecord(message: Message, type: string, place: string): void {
  const code = type.charCodeAt(0)
  const isHidden = type === RECORD.pointer || type === RECORD.padding
  const text = isHidden
    ? `record type ${code} not allowed - discarding this message`
    : `message rejected: unexpected record type ${code} in ${place}`
  log.warning(`${message.id}: ${text}`)
  message.fail('bad')
}
