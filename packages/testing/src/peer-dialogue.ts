/**
 * peer-dialogue - one conversation of a scripted peer, from the greeting to the end
 *
 * `find` knows the script; this knows when it is asked what: by command lines, by '.' after the content, by '334 LINE' for
 * the answer to a challenge of AUTH (RFC 4954 4), and before, instead of and after a TLS handshake. BDAT (RFC 3030) is asked
 * when its chunk is there.
 */
import type { SecureContext } from 'node:tls'
import type { PeerConnection } from './peer-connection.ts'
import type { PeerOptions, PeerSession, Reply } from './peer-script.ts'

export interface PeerRules {
  readonly options: PeerOptions
  readonly secureContext: SecureContext | undefined
  /** Undefined: the script has nothing under this key. */
  ownReply: (key: string, session: PeerSession) => Reply | undefined
  find: (line: string, session: PeerSession) => Reply
}

export async function holdDialogue(
  connection: PeerConnection,
  session: PeerSession,
  rules: PeerRules,
): Promise<void> {
  const { options, find } = rules
  let received = ''
  let sender = ''
  let recipients: string[] = []
  let chunks = ''
  let state: 'command' | 'content' | 'challenge' = 'command'
  if (options.tls?.isWrapper === true) await startTls(connection, session, rules)
  if (!connection.isEnded) await connection.say(find('greeting', session))
  for (;;) {
    const text = await connection.read()
    if (text === undefined) return
    session.received += text
    if (connection.isEnded) continue
    received += text
    for (;;) {
      if (state === 'content') {
        const content = received.startsWith('.\r\n') ? '' : contentOf(received)
        if (content === undefined) break
        received = received.slice(content.length + '.\r\n'.length)
        state = 'command'
        session.messages.push({ sender, recipients, content })
        const count = options.isLmtp === true ? recipients.length : 1
        for (let reply = 0; reply < count; reply++) await connection.say(find('.', session))
        recipients = []
        continue
      }
      const end = received.indexOf('\r\n')
      if (end < 0) break
      const line = received.slice(0, end)
      const chunk = /^BDAT (\d+)( LAST)?$/i.exec(line)
      const chunkOctets = Number(chunk?.[1] ?? 0)
      if (received.length - end - 2 < chunkOctets) break
      chunks += received.slice(end + 2, end + 2 + chunkOctets)
      received = received.slice(end + 2 + chunkOctets)
      session.commands.push(line)
      if (session.tls !== undefined) session.tlsCommands.push(line)
      const isLast = chunk?.[2] !== undefined
      if (isLast) {
        session.messages.push({ sender, recipients, content: chunks })
        chunks = ''
        // RFC 2033 4.3: one reply for each recipient
        const extra = options.isLmtp === true ? recipients.length - 1 : 0
        for (let reply = 0; reply < extra; reply++) await connection.say(find(line, session))
      }
      const code = await connection.say(find(state === 'challenge' ? `334 ${line}` : line, session))
      if (isLast) recipients = []
      const isAnswer = state === 'challenge'
      state = code === '334' ? 'challenge' : 'command'
      if (isAnswer) continue
      const accepted = code.startsWith('2')
      if (/^MAIL FROM:/i.test(line)) {
        sender = line.slice('MAIL FROM:'.length)
        recipients = []
      }
      if (/^RCPT TO:/i.test(line) && accepted) recipients.push(line.slice('RCPT TO:'.length))
      if (/^RSET/i.test(line)) {
        recipients = []
        chunks = ''
      }
      if (/^DATA/i.test(line) && code.startsWith('3')) state = 'content'
      if (/^QUIT/i.test(line)) connection.end()
      if (/^STARTTLS/i.test(line) && accepted && rules.secureContext !== undefined) {
        // RFC 3207 4.2: what came in the clear after the command is forgotten
        received = ''
        await startTls(connection, session, rules)
      }
    }
  }
}

async function startTls(
  connection: PeerConnection,
  session: PeerSession,
  rules: PeerRules,
): Promise<void> {
  const instead = rules.ownReply('handshake', session)
  if (instead !== undefined) {
    await connection.read()
    session.received += '[ClientHello]\r\n'
    await connection.say(instead)
    // what the client answers is not text; another ending than ours is of its making
    while ((await connection.read()) !== undefined);
    return
  }
  if (rules.secureContext === undefined) throw new Error('Cannot start TLS: no context')
  try {
    const { requestCert = false } = rules.options.tls ?? {}
    session.tls = await connection.startTls(rules.secureContext, requestCert)
  } catch (error) {
    session.received += '[no TLS]\r\n'
    throw error
  }
  const { protocol, cipher, servername, client, isResumed } = session.tls
  const facts = [protocol, cipher, `sni=${servername}`, `client=${client}`]
  session.received += `[TLS ${facts.join(' ')}${isResumed ? ' resumed' : ''}]\r\n`
  const next = rules.ownReply('secured', session)
  if (next !== undefined) await connection.say(next)
}

/** Up to and including the CRLF before the final dot; undefined while that is not there. */
function contentOf(received: string): string | undefined {
  const end = received.indexOf('\r\n.\r\n')
  return end < 0 ? undefined : received.slice(0, end + 2)
}
