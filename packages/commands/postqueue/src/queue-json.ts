/**
 * queue-json - one message of the queue as a line of JSON
 *
 * Written by hand because text here is octets: what is not ASCII goes out as it came in, which is
 * UTF-8. Source: RFC 8259; Postfix 3.7 postqueue(1).
 */
import type { QueueEntry } from '@posthorn/wire/showq-protocol'

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\\', '\\\\'],
  ['"', '\\"'],
])

/** @param allowsUtf8 smtputf8_enable; otherwise octets above 127 are escaped */
export function formatQueueJson(entry: QueueEntry, allowsUtf8: boolean): string {
  const text = (value: string): string => quote(value, allowsUtf8)
  const recipients = entry.recipients.map(({ recipient, reason }) => {
    const address = `{"address": ${text(recipient)}`
    return reason === '' ? `${address}}` : `${address}, "delay_reason": ${text(reason)}}`
  })
  const members = [
    `"queue_name": ${text(entry.queueName)}`,
    `"queue_id": ${text(entry.queueId)}`,
    `"arrival_time": ${entry.timeSeconds}`,
    `"message_size": ${entry.sizeBytes}`,
    `"forced_expire": ${entry.forcedExpire === 0 ? 'false' : 'true'}`,
    `"sender": ${text(entry.sender)}`,
    `"recipients": [${recipients.join(', ')}]`,
  ]
  return `{${members.join(', ')}}\n`
}

function quote(value: string, allowsUtf8: boolean): string {
  const special = allowsUtf8 ? /[\x00-\x1f"\\\x7f]/g : /[\x00-\x1f"\\\x7f-\xff]/g
  const escaped = value.replace(
    special,
    (found) =>
      ESCAPES.get(found) ?? `\\u${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
  )
  return `"${escaped}"`
}
