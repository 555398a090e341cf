/**
 * delivered-to - where a message has been before: its Delivered-To: lines
 *
 * A recipient whose address is among them has had the message already; delivering it again would go on for ever.
 * Limits: looks at the first 1000 addresses. Source: Postfix 3.7 local(8).
 */
import { unquoteAddress } from '@posthorn/address/quote-address'
import { foldCase } from '@posthorn/address/split-address'
import { ContentReader } from '@posthorn/queue/content-reader'

const addressLimit = 1000

/** Case does not matter: addresses are folded, internal form. @throws {QueueFileCorruptError} */
export function readDeliveredTo(fd: number, dataOffset: number): ReadonlySet<string> {
  const found = new Set<string>()
  const reader = new ContentReader(fd, dataOffset)
  for (let piece = reader.next(); piece !== undefined; piece = reader.next()) {
    const { text } = piece
    // The header ends at the first line that is neither a field nor the continuation of one.
    if (!/^(?:[!-9;-~]+\s*:|[ \t])/.test(text)) break
    const address = /^delivered-to\s*:\s*(.*?)\s*$/i.exec(text)?.[1]
    if (address === undefined) continue
    found.add(foldCase(unquoteAddress(address)))
    if (found.size >= addressLimit) break
  }
  return found
}
