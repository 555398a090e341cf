/**
 * NOOP - nothing, acknowledged (RFC 5321 4.1.1.9)
 */
import type { Verb } from '../verb.ts'

export const noop: Verb = {
  name: 'NOOP',
  isBeforeTls: true,
  isJunk: true,
  isLastInGroup: true,
  serve(session) {
    session.reply('250 2.0.0 Ok')
    return 'done'
  },
}
