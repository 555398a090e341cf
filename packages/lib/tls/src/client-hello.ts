/**
 * client-hello - what a TLS client says first, as far as a server must know it before OpenSSL does
 *
 * The name that it asks for decides about certificates, the key of its ticket about the context, the id of its session about
 * what is looked up. All three can take time, and node:tls has a place for the first only, where just one kind of key fits.
 * The octets go on to OpenSSL as they came: nothing is judged here, and what is no ClientHello is for OpenSSL to refuse.
 * Limits: MAX_HELLO_OCTETS, with its records; a client's is a few hundred, with keys that withstand quantum computers under 2 KB.
 * Source: RFC 8446 4.1.2, 5.1; RFC 6066 3 (server_name), RFC 5077 3.2 (session_ticket), RFC 8446 4.2.1 (supported_versions),
 * 4.2.11 (pre_shared_key).
 */

const MAX_HELLO_OCTETS = 65_536

/** Of a message: its type and size. */
const HEAD_OCTETS = 4
const HANDSHAKE = 22
const CLIENT_HELLO = 1
const EXTENSION = { serverName: 0, sessionTicket: 35, preSharedKey: 41, versions: 43 } as const
const TLS_1_3 = '\x03\x04'
const HOST_NAME = 0

/** All of them octets, as latin1 strings; absent ones are empty. */
export interface ClientHello {
  /** As it was sent: any octets. */
  readonly serverName: string
  /** Of TLS 1.2 and older; clients with TLS 1.3 make one up. */
  readonly sessionId: string
  /** The ticket of TLS 1.2. */
  readonly ticket: string
  /** There is a place for one: the client would like a ticket. */
  readonly takesTickets: boolean
  /** The first ticket of TLS 1.3, or the id of a session where there are no tickets. */
  readonly identity: string
  /** TLS 1.3 is among the versions. */
  readonly isModern: boolean
}

export const NO_HELLO: ClientHello = {
  serverName: '',
  sessionId: '',
  ticket: '',
  takesTickets: false,
  identity: '',
  isModern: false,
}

/** 'more': this is the beginning of one. 'none': nothing that could become one, or too long. */
export function parseClientHello(octets: string): ClientHello | 'more' | 'none' {
  const message = handshakeMessage(Buffer.from(octets, 'latin1'))
  if (typeof message === 'string') return message
  try {
    return parseBody(message)
  } catch (error) {
    if (error instanceof RangeError) return 'none'
    throw error
  }
}

/** The first message, which may be in several records. */
function handshakeMessage(octets: Buffer): Buffer | 'more' | 'none' {
  const parts: Buffer[] = []
  let gathered = 0
  let wanted = HEAD_OCTETS
  let at = 0
  for (;;) {
    // a record: its type, 3, 1 to 4, its length
    if ((octets[at] ?? HANDSHAKE) !== HANDSHAKE || (octets[at + 1] ?? 3) !== 3) return 'none'
    if (at + 5 > octets.length) return moreOf(octets)
    const length = octets.readUInt16BE(at + 3)
    if (length === 0) return 'none'
    const part = octets.subarray(at + 5, at + 5 + length)
    parts.push(part)
    gathered += part.length
    if (wanted === HEAD_OCTETS && gathered >= HEAD_OCTETS) {
      const head = Buffer.concat(parts)
      const size = head.readUIntBE(1, 3)
      if (head[0] !== CLIENT_HELLO || size === 0 || size > MAX_HELLO_OCTETS) return 'none'
      wanted = HEAD_OCTETS + size
    }
    if (wanted > HEAD_OCTETS && gathered >= wanted)
      return Buffer.concat(parts).subarray(HEAD_OCTETS, wanted)
    if (part.length < length) return moreOf(octets)
    at += 5 + length
  }
}

/** Records that are nearly empty make of any message a long one. */
function moreOf(octets: Buffer): 'more' | 'none' {
  return octets.length > MAX_HELLO_OCTETS ? 'none' : 'more'
}

/** @throws {RangeError} */
function parseBody(message: Buffer): ClientHello {
  const fields = new Fields(message)
  fields.take(2 + 32) // version, random
  const sessionId = text(fields.vector(1))
  fields.vector(2) // cipher suites
  fields.vector(1) // compression methods
  let { serverName, ticket, takesTickets, identity, isModern } = NO_HELLO
  const extensions = new Fields(fields.isEmpty ? Buffer.of() : fields.vector(2))
  while (!extensions.isEmpty) {
    const type = extensions.number(2)
    const content = new Fields(extensions.vector(2))
    if (type === EXTENSION.serverName && !content.isEmpty) serverName = firstName(content.vector(2))
    else if (type === EXTENSION.sessionTicket) {
      takesTickets = true
      ticket = text(content.rest())
    } else if (type === EXTENSION.preSharedKey) {
      identity = text(new Fields(content.vector(2)).vector(2))
    } else if (type === EXTENSION.versions) {
      const versions = text(content.vector(1)).match(/../gs) ?? []
      isModern = versions.some((version) => version === TLS_1_3)
    }
  }
  return { serverName, sessionId, ticket, takesTickets, identity, isModern }
}

/** @throws {RangeError} */
function firstName(list: Buffer): string {
  const names = new Fields(list)
  return names.number(1) === HOST_NAME ? text(names.vector(2)) : ''
}

function text(octets: Buffer): string {
  return octets.toString('latin1')
}

/** RFC 8446 3.4: numbers, and vectors with their length before them. All of it throws a RangeError at the end. */
class Fields {
  #octets: Buffer

  constructor(octets: Buffer) {
    this.#octets = octets
  }

  get isEmpty(): boolean {
    return this.#octets.length === 0
  }

  take(count: number): Buffer {
    if (count > this.#octets.length) throw new RangeError('Cannot read ClientHello: it is cut off')
    const taken = this.#octets.subarray(0, count)
    this.#octets = this.#octets.subarray(count)
    return taken
  }

  number(size: 1 | 2): number {
    return this.take(size).readUIntBE(0, size)
  }

  vector(lengthSize: 1 | 2): Buffer {
    return this.take(this.number(lengthSize))
  }

  rest(): Buffer {
    return this.take(this.#octets.length)
  }
}
