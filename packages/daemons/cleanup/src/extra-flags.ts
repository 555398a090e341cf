/** extra-flags - the flags record, by which smtpd(8) asks for HOLD or DISCARD after it has sent the first flags */
import { log } from '@posthorn/log/log'
import { CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'
import type { Message } from './message.ts'

const ALLOWED = CLEANUP_FLAGS.hold | CLEANUP_FLAGS.discard

export function applyExtraFlags(message: Message, payload: string): void {
  // What is no number asks for nothing.
  const flags = Number(/^\s*([+-]?\d{1,9})/.exec(payload)?.[1] ?? 0)
  if ((flags & ~ALLOWED) !== 0) {
    log.warning(`${message.id}: ignoring bad extra flags: 0x${(flags >>> 0).toString(16)}`)
  } else message.flags |= flags
}
