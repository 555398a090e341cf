/**
 * unavailable - commands that exist and that this server does not offer
 */
import type { Verb, VerbOutcome } from '../verb.ts'
import type { Session } from '../session.ts'

const refuse =
  (text: string) =>
  (session: Session): VerbOutcome => {
    session.reply(text)
    return 'error'
  }

/** The answer to mail where TLS is demanded, too: it waits, while 530 would make it bounce. */
export const NO_TLS = '454 4.7.0 TLS not available due to local problem'

/** RFC 3207: offered only where it is demanded, as Postfix does when it has no certificate. */
export const starttls: Verb = {
  name: 'STARTTLS',
  isBeforeTls: true,
  serve: (session, command) =>
    refuse(
      command.argument !== ''
        ? '501 5.5.4 Syntax: STARTTLS'
        : session.needsTls
          ? NO_TLS
          : '502 5.5.1 Error: command not implemented',
    )(session),
}

/** RFC 4954: no authentication is configured. */
export const auth: Verb = {
  name: 'AUTH',
  serve: refuse('503 5.5.1 Error: authentication not enabled'),
}
