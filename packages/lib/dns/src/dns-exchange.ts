/**
 * dns-exchange - one question to one name server
 *
 * UDP first, from a socket of its own: the kernel picks a random source port for each question, which
 * together with the random id is what a forger has to guess (RFC 5452). The socket is connected, so that only
 * this server can answer and a closed port is noticed at once. A truncated reply is asked again over TCP.
 * Limits: one reply of at most 64 KB; the deadline covers both transports.
 * Sources: RFC 1035 4.2, RFC 6891 (EDNS0), RFC 5452 (forged answers), RFC 7766 (TCP).
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import {
  AUTHENTIC_DATA,
  DNSSEC_OK,
  RECURSION_DESIRED,
  decode,
  encode,
  type DecodedPacket,
  type OptAnswer,
  type Packet,
} from 'dns-packet'
import type { RecordType } from './dns-answer.ts'
import { isWholePacket } from './packet-shape.ts'
import type { NameServer } from './resolv-conf.ts'

/** Fits every path of today without fragments (DNS flag day 2020). */
const UDP_PAYLOAD_OCTETS = 1232

export interface Question {
  name: string
  type: RecordType
  dnssec: boolean
  /** false for servers that do not know RFC 6891. */
  edns: boolean
}

function encodeQuestion(question: Question, id: number): Buffer {
  const options: OptAnswer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: UDP_PAYLOAD_OCTETS,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: question.dnssec ? DNSSEC_OK : 0,
    flag_do: question.dnssec,
    options: [],
  }
  const packet: Packet = {
    type: 'query',
    id,
    flags: RECURSION_DESIRED | (question.dnssec ? AUTHENTIC_DATA : 0),
    questions: [{ type: question.type, name: question.name, class: 'IN' }],
    additionals: question.edns ? [options] : [],
  }
  return encode(packet)
}

/** The reply when it answers this question; undefined for noise and forgeries, which are waited past. */
function decodeReply(octets: Buffer, question: Question, id: number): DecodedPacket | undefined {
  if (!isWholePacket(octets)) return undefined
  let reply: DecodedPacket
  try {
    reply = decode(octets)
  } catch {
    return undefined
  }
  const asked = reply.questions?.[0]
  const matches =
    reply.flag_qr &&
    reply.id === id &&
    // a server that cannot read the question may leave it out of its refusal
    (asked === undefined
      ? (reply.answers ?? []).length === 0 && (reply.flags ?? 0) % 16 !== 0
      : asked.type === question.type &&
        asked.class === 'IN' &&
        asked.name.toLowerCase() === question.name.toLowerCase())
  return matches ? reply : undefined
}

async function askByUdp(
  server: NameServer,
  question: Question,
  timeoutMs: number,
): Promise<DecodedPacket> {
  const id = randomInt(65536)
  const query = encodeQuestion(question, id)
  const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4')
  const { promise, resolve, reject } = Promise.withResolvers<DecodedPacket>()
  const timer = setTimeout(() => {
    reject(new Error(`Cannot ask name server "${server.address}": no reply in ${timeoutMs} ms`))
  }, timeoutMs)
  try {
    socket.on('error', reject)
    socket.on('message', (octets) => {
      const reply = decodeReply(octets, question, id)
      if (reply !== undefined) resolve(reply)
    })
    socket.connect(server.port, server.address, () => {
      socket.send(query, (error) => {
        if (error !== null) reject(error)
      })
    })
    return await promise
  } finally {
    clearTimeout(timer)
    socket.close()
  }
}

async function askByTcp(
  server: NameServer,
  question: Question,
  timeoutMs: number,
): Promise<DecodedPacket> {
  const id = randomInt(65536)
  const query = encodeQuestion(question, id)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(query.length)
  const { promise, resolve, reject } = Promise.withResolvers<DecodedPacket>()
  const refuse = (why: string): void => {
    reject(new Error(`Cannot ask name server "${server.address}" over TCP: ${why}`))
  }
  const timer = setTimeout(refuse, timeoutMs, `no reply in ${timeoutMs} ms`)
  const socket = connect(server.port, server.address)
  let received = Buffer.alloc(0)
  try {
    socket.on('error', reject)
    socket.on('close', () => {
      refuse('connection lost')
    })
    socket.on('data', (octets) => {
      received = Buffer.concat([received, octets])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE()) return
      const reply = decodeReply(received.subarray(2, 2 + received.readUInt16BE()), question, id)
      if (reply === undefined) refuse('the reply is for another question')
      else resolve(reply)
    })
    socket.write(Buffer.concat([length, query]))
    return await promise
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}

/**
 * A reply to this very question, whatever it says.
 *
 * @throws {Error} no reply in time, or the server cannot be reached
 */
export async function askServer(
  server: NameServer,
  question: Question,
  timeoutMs: number,
): Promise<DecodedPacket> {
  const deadlineMs = Date.now() + timeoutMs
  const reply = await askByUdp(server, question, timeoutMs)
  if (!reply.flag_tc) return reply
  return askByTcp(server, question, Math.max(1, deadlineMs - Date.now()))
}
