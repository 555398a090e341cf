/**
 * QUIT - ends the session (RFC 5321 4.1.1.10)
 */
import type { Verb } from '../verb.ts'

export const quit: Verb = {
  name: 'QUIT',
  isBeforeTls: true,
  serve(session) {
    session.reply('221 2.0.0 Bye')
    session.isHangingUp = true
    return 'done'
  },
}
