/**
 * EHLO - the client introduces itself, and hears what we can do (RFC 5321 4.1.1.1)
 */
import { log } from '@posthorn/log/log'
import type { Session } from '../session.ts'
import type { Verb } from '../verb.ts'
import { greet } from './helo.ts'
import { XCLIENT_KEYWORD } from './xclient.ts'
import { XFORWARD_KEYWORD } from './xforward.ts'

/** In the order in which Postfix names them; undefined: not offered. */
function keywords({
  host: { settings },
  needsTls,
  permissions,
}: Session): readonly (string | undefined)[] {
  return [
    'PIPELINING', // RFC 2920
    settings.messageSizeLimit > 0 ? `SIZE ${settings.messageSizeLimit}` : 'SIZE', // RFC 1870
    settings.isVrfyDisabled ? undefined : 'VRFY',
    'ETRN', // RFC 1985
    needsTls ? 'STARTTLS' : undefined, // RFC 3207
    permissions.mayVerp ? 'XVERP' : undefined,
    permissions.mayXclient ? XCLIENT_KEYWORD : undefined,
    permissions.mayXforward ? XFORWARD_KEYWORD : undefined,
    'ENHANCEDSTATUSCODES', // RFC 2034
    '8BITMIME', // RFC 6152
    'DSN', // RFC 3461
    settings.isUtf8Enabled ? 'SMTPUTF8' : undefined, // RFC 6531
    'CHUNKING', // RFC 3030
  ]
}

/** Names that can be discarded, in the order of the log line. */
const DISCARDABLE = [
  ...['8BITMIME', 'AUTH', 'ETRN', 'PIPELINING', 'SIZE', 'VERP', 'VRFY', 'XCLIENT', 'XFORWARD'],
  ...['STARTTLS', 'ENHANCEDSTATUSCODES', 'DSN', 'SMTPUTF8', 'CHUNKING'],
]

export const ehlo: Verb = {
  name: 'EHLO',
  isBeforeTls: true,
  isJunk: true,
  isLastInGroup: true,
  async serve(session, command) {
    return greet(session, command, 'ESMTP', () => {
      welcome(session)
    })
  },
}

function welcome(session: Session): void {
  const { settings } = session.host
  const discarded = session.permissions.discardedKeywords
  // as Postfix: nothing is logged when the enhanced codes are among them
  if (
    discarded.size > 0 &&
    !discarded.has('SILENT-DISCARD') &&
    !discarded.has('ENHANCEDSTATUSCODES')
  ) {
    const words = DISCARDABLE.filter((word) => discarded.has(word)).map((word) =>
      word === 'SMTPUTF8' ? 'EHLO_MASK_SMTPUTF8' : word,
    )
    log.info(`discarding EHLO keywords: ${words.join(' ')}`)
  }
  const offered = keywords(session).filter(
    (line) =>
      line !== undefined && !discarded.has(line.replace(/ .*/, '').replace('XVERP', 'VERP')),
  )
  const lines = [settings.hostname, ...offered]
  session.reply(
    ...lines.map((line, index) => `250${index === lines.length - 1 ? ' ' : '-'}${line ?? ''}`),
  )
}
