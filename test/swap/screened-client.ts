/**
 * screened-client - an SMTP client that postscreen(8) talks to itself, under TLS from STARTTLS on
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type PeerCertificate } from 'node:tls'

export interface Screening {
  /** Codes of the replies: greeting, EHLO, STARTTLS; then under TLS EHLO, MAIL, RCPT, QUIT. */
  readonly codes: readonly string[]
  readonly protocol: string | null
  readonly subject: PeerCertificate['subject']['CN']
  /** The server said goodbye to TLS, too. */
  readonly hasEnded: boolean
}

export async function screen(port: number): Promise<Screening> {
  const plain = connect(port, '127.0.0.1')
  const codes: string[] = []
  try {
    codes.push(await reply(plain))
    codes.push(await say(plain, 'EHLO client.test'))
    codes.push(await say(plain, 'STARTTLS'))
    const secured = connectTls({ socket: plain, rejectUnauthorized: false })
    await once(secured, 'secureConnect')
    for (const command of [
      'EHLO client.test',
      'MAIL FROM:<me@client.test>',
      'RCPT TO:<u@x.test>',
    ]) {
      codes.push(await say(secured, command))
    }
    const protocol = secured.getProtocol()
    const subject = secured.getPeerCertificate().subject.CN
    const ended = once(secured, 'end')
    codes.push(await say(secured, 'QUIT'))
    await ended
    return { codes, protocol, subject, hasEnded: true }
  } finally {
    plain.destroy()
  }
}

async function say(socket: Socket, command: string): Promise<string> {
  socket.write(`${command}\r\n`)
  return reply(socket)
}

/** The code, of the last line. postscreen(8) sends its greeting in two parts. */
async function reply(socket: Socket): Promise<string> {
  let text = ''
  for (;;) {
    const [octets] = (await once(socket, 'data')) as [Buffer]
    text += octets.toString('latin1')
    const [, code] = /^(\d{3}) .*\r\n$/m.exec(text) ?? []
    if (code !== undefined) return code
  }
}
