/**
 * RSET - drops the transaction (RFC 5321 4.1.1.5)
 */
import type { Verb } from '../verb.ts'

export const rset: Verb = {
  name: 'RSET',
  isJunk: true,
  serve(session, command) {
    if (command.argument !== '') {
      session.reply('501 5.5.4 Syntax: RSET')
      return 'error'
    }
    session.reset()
    session.reply('250 2.0.0 Ok')
    return 'done'
  },
}
