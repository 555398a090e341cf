/** extra-flags - the flags record, by which smtpd(8) asks for HOLD or DISCARD after it has sent the first flags */
import { log } from '@posthorn/log/log'
import { CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'
import type { Message } from './message.ts'

const ALLOWED = CLEANUP_FLAGS.hold | CLEANUP_FLAGS.discard

export function applyExtraFlags(message: Message, payload: string): void {
  const flags = /^\d{1,9}$/.test(payload) ? Number(payload) : -1
  if (flags < 0 || (flags & ~ALLOWED) !== 0) {
    const shown = flags < 0 ? payload.slice(0, 20) : `0x${flags.toString(16)}`
    log.warning(`${message.id}: ignoring bad extra flags: ${shown}`)
  } else message.flags |= flags
}
