/**
 * note-encoding - does a header say that the message is 8bit
 *
 * A part that claims 8bit or binary makes the whole message so: that is what the next server is told.
 * Source: Postfix 3.7 detect_8bit_encoding_header.
 */
import { parseEncoding } from '@posthorn/message/mime-type'
import type { Message } from './message.ts'
import type { Settings } from './settings.ts'

const encodingHeader = /^content-transfer-encoding:/i

/** @param header a logical header */
export function noteEncoding(message: Message, settings: Settings, header: string): void {
  const found = encodingHeader.exec(header)
  if (found === null || !settings.detects8Bit) return
  const encoding = parseEncoding(header.slice(found[0].length))
  if (encoding === '8bit' || encoding === 'binary') message.encoding = '8bit'
}
