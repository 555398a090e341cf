/**
 * verb - what an SMTP command is to the conversation
 */
import type { Command } from './command.ts'
import type { Session } from './session.ts'

/** done: counted as accepted; error: counts toward the error limits; restarted: neither. The verb has replied in any case. */
export type VerbOutcome = 'done' | 'error' | 'restarted'

export interface Verb {
  /** Upper case, as in log lines. */
  readonly name: string
  /** Costs nothing to send and achieves nothing by itself: smtpd_junk_command_limit counts it. */
  readonly isJunk?: boolean
  /** RFC 2920 3.1: the last command of a pipelined group; the client must wait for its reply. */
  readonly isLastInGroup?: boolean
  /** Served without TLS where mail is not. RFC 3207 4. */
  readonly isBeforeTls?: boolean
  serve: (session: Session, command: Command) => VerbOutcome | Promise<VerbOutcome>
}
