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
  serve: (session) =>
    refuse(session.needsTls ? NO_TLS : '502 5.5.1 Error: command not implemented')(session),
}

/** RFC 4954: no authentication is configured. */
export const auth: Verb = {
  name: 'AUTH',
  serve: refuse('503 5.5.1 Error: authentication not enabled'),
}

/** Nobody is in smtpd_authorized_xclient_hosts. */
export const xclient: Verb = {
  name: 'XCLIENT',
  serve: (session, command) =>
    refuse(
      command.words.length === 0
        ? '501 5.5.4 Syntax: XCLIENT attribute=value...'
        : '550 5.7.0 Error: insufficient authorization',
    )(session),
}

/** Nobody is in smtpd_authorized_xforward_hosts. */
export const xforward: Verb = {
  name: 'XFORWARD',
  serve: (session, command) =>
    refuse(
      command.words.length === 0
        ? '501 5.5.4 Syntax: XFORWARD attribute=value...'
        : '550 5.7.0 Error: insufficient authorization',
    )(session),
}
