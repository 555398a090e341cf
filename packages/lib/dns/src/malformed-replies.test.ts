/**
 * malformed-replies.test - what name servers, and those who pretend to be one, may send without harm
 *
 * The server of these tests sends bad packets first and the right one afterwards: what is not an answer to the question must
 * be waited past, what cannot be read must not end the process, and whatever is believed ends the lookup in order.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { createServer, isIP, type AddressInfo, type Server } from 'node:net'
import { once } from 'node:events'
import { captureLog } from '@posthorn/log/capture-log'
import { decode, encode, type Packet, type Question } from 'dns-packet'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { Resolver } from './resolver.ts'

/** Bad packets first, then the right one, unless there is to be none. */
type Prelude = (query: Buffer, right: Buffer) => { bad: readonly Buffer[]; isRight?: boolean }

const RESPONSE_FLAGS = 0x8180
const RIGHT = '192.0.2.1'
const TRUNCATED = 0x0200

function question(query: Buffer): { id: number; asked: Question } {
  const { id = 0, questions } = decode(query)
  const asked = questions?.[0]
  if (asked === undefined) throw new Error('Cannot answer: there is no question')
  return { id, asked }
}

function rightReply(query: Buffer, more: Partial<Packet> = {}): Buffer {
  const { id, asked } = question(query)
  return encode({
    type: 'response',
    id,
    flags: RESPONSE_FLAGS & 0x7fff,
    questions: [asked],
    answers: [{ type: 'A', name: asked.name, ttl: 0, data: RIGHT }],
    ...more,
  })
}

class HostileServer {
  prelude: Prelude = () => ({ bad: [] })
  /** What TCP clients get, with or without the right length before it. */
  tcpReply: (right: Buffer) => Buffer = (right) => framed(right)
  readonly #udp: Socket = createSocket('udp4')
  readonly #tcp: Server

  private constructor() {
    this.#udp.on('message', (query, sender) => {
      this.#answer(query, sender)
    })
    this.#tcp = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.once('data', (octets) => {
        socket.end(this.tcpReply(rightReply(octets.subarray(2))))
      })
    })
  }

  static async start(t: Test): Promise<HostileServer> {
    const server = new HostileServer()
    server.#tcp.listen(0, '127.0.0.1')
    await once(server.#tcp, 'listening')
    server.#udp.bind(server.port, '127.0.0.1')
    await once(server.#udp, 'listening')
    t.teardown(() => {
      server.#udp.close()
      server.#tcp.close()
    })
    return server
  }

  get port(): number {
    return (this.#tcp.address() as AddressInfo).port
  }

  resolver(timeoutMs = 5000): Resolver {
    const servers = [{ address: '127.0.0.1', port: this.port }]
    return new Resolver({ servers, timeoutMs, attempts: 1 })
  }

  #answer(query: Buffer, { port, address }: RemoteInfo): void {
    const right = rightReply(query)
    const { bad, isRight = true } = this.prelude(query, right)
    for (const packet of [...bad, ...(isRight ? [right] : [])])
      this.#udp.send(packet, port, address)
  }
}

function framed(packet: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(packet.length)
  return Buffer.concat([length, packet])
}

function edited(packet: Buffer, edit: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(packet)
  edit(copy)
  return copy
}

/** A reply of one record whose owner is given octet for octet. */
function withOwner(query: Buffer, owner: Buffer): Buffer {
  const header = Buffer.from(
    encode({ type: 'response', id: question(query).id, questions: [question(query).asked] }),
  )
  header.writeUInt16BE(RESPONSE_FLAGS, 2)
  header.writeUInt16BE(1, 6)
  const record = Buffer.from('000100010000000000 04c0000202'.replaceAll(' ', ''), 'hex')
  return Buffer.concat([header, owner, record])
}

let names = 0
/** A name that nobody has asked for, so that no memory is in the way. */
function freshName(): string {
  names += 1
  return `name${names}.test`
}

t.test('replies to other questions are waited past', async (t) => {
  const server = await HostileServer.start(t)
  const forged = (packet: Packet): Buffer =>
    encode({
      ...packet,
      flags: 0x0180,
      answers: [{ type: 'A', name: 'x', ttl: 300, data: '192.0.2.66' }],
    })
  const others: Record<string, Prelude> = {
    'another id': (_query, right) => ({
      bad: [edited(right, (copy) => (copy[1] = (copy[1] ?? 0) ^ 1))],
    }),
    'another name': (query) => {
      const { id } = question(query)
      return {
        bad: [
          forged({
            type: 'response',
            id,
            questions: [{ type: 'A', name: 'other.test', class: 'IN' }],
          }),
        ],
      }
    },
    'another type': (query) => {
      const { id, asked } = question(query)
      return { bad: [forged({ type: 'response', id, questions: [{ ...asked, type: 'AAAA' }] })] }
    },
    'another class': (query) => {
      const { id, asked } = question(query)
      return { bad: [forged({ type: 'response', id, questions: [{ ...asked, class: 'CH' }] })] }
    },
    'no question': (query) => ({ bad: [forged({ type: 'response', id: question(query).id })] }),
    'a query': (query) => ({ bad: [query] }),
    nothing: () => ({ bad: [Buffer.alloc(0)] }),
    'half a header': (_query, right) => ({ bad: [right.subarray(0, 7)] }),
    'half a record': (_query, right) => ({ bad: [right.subarray(0, right.length - 3)] }),
    'a name that points to itself': (query) => ({
      bad: [withOwner(query, Buffer.from([0xc0, query.length]))],
    }),
    'names that point to each other': (query) => ({
      bad: [withOwner(query, Buffer.from([0xc0, query.length + 2, 0xc0, query.length]))],
    }),
    'a name that points behind the end': (query) => ({
      bad: [withOwner(query, Buffer.from([0xff, 0xff]))],
    }),
    'a name without end': (query) => ({
      bad: [withOwner(query, Buffer.alloc(400, Buffer.from('\x3f')))],
    }),
  }
  for (const [what, prelude] of Object.entries(others)) {
    server.prelude = prelude
    const answer = await server.resolver().query(freshName(), 'A')
    t.match(answer, { kind: 'found', records: [{ address: RIGHT }] }, what)
  }
})

t.test('another source than the server that was asked is not heard', async (t) => {
  const server = await HostileServer.start(t)
  const stranger = createSocket('udp4')
  t.teardown(() => stranger.close())
  const victim = createSocket('udp4')
  victim.bind(0, '127.0.0.1')
  await once(victim, 'listening')
  t.teardown(() => victim.close())
  // the server passes the question on to a stranger, who answers first and from another port
  victim.on('message', (query, { port, address }) => {
    const forged = rightReply(query, {
      answers: [{ type: 'A', name: question(query).asked.name, ttl: 300, data: '192.0.2.66' }],
    })
    stranger.send(forged, port, address, () => {
      victim.send(rightReply(query), port, address)
    })
  })
  const servers = [{ address: '127.0.0.1', port: victim.address().port }]
  const answer = await new Resolver({ servers, timeoutMs: 5000, attempts: 1 }).query(
    freshName(),
    'A',
  )
  t.match(answer, { kind: 'found', records: [{ address: RIGHT }] })
  t.match(await server.resolver().query(freshName(), 'A'), { kind: 'found' })
})

t.test('TCP: what is cut, too long, or for another question ends in tryAgain', async (t) => {
  const server = await HostileServer.start(t)
  server.prelude = (_query, right) => ({
    bad: [edited(right, (copy) => copy.writeUInt16BE(copy.readUInt16BE(2) | TRUNCATED, 2))],
    isRight: false,
  })
  const replies: Record<string, [HostileServer['tcpReply'], string]> = {
    'as it should be': [(right) => framed(right), 'found'],
    nothing: [() => Buffer.alloc(0), 'tryAgain'],
    'one octet': [() => Buffer.alloc(1), 'tryAgain'],
    'half of it': [(right) => framed(right).subarray(0, 20), 'tryAgain'],
    'a length that never comes': [
      (right) => Buffer.concat([Buffer.from([0xff, 0xff]), right]),
      'tryAgain',
    ],
    'a length of nothing': [(right) => Buffer.concat([Buffer.from([0, 0]), right]), 'tryAgain'],
    'another id': [
      (right) => framed(edited(right, (copy) => (copy[0] = (copy[0] ?? 0) ^ 1))),
      'tryAgain',
    ],
    'more than was said': [
      (right) => Buffer.concat([framed(right), Buffer.alloc(100_000)]),
      'found',
    ],
  }
  for (const [what, [reply, kind]] of Object.entries(replies)) {
    server.tcpReply = reply
    t.equal((await server.resolver().query(freshName(), 'A')).kind, kind, what)
  }
})

t.test('mutated replies: every lookup ends, and the next one is answered', async (t) => {
  const logged = captureLog()
  t.teardown(() => {
    logged.restore()
  })
  const server = await HostileServer.start(t)
  const types = ['A', 'AAAA', 'MX', 'TXT', 'SRV', 'PTR', 'TLSA'] as const
  const mutation = fc.oneof(
    fc.record({ at: fc.nat(400), octet: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ cut: fc.nat(400) }),
    fc.record({ at: fc.nat(400), insert: fc.uint8Array({ maxLength: 20 }) }),
  )
  const cases = fc.tuple(
    fc.constantFrom(...types),
    fc.array(mutation, { minLength: 1, maxLength: 8 }),
  )
  await fc.assert(
    fc.asyncProperty(cases, async ([type, mutations]) => {
      server.prelude = (query) => {
        let packet = richReply(query)
        for (const one of mutations) {
          if ('cut' in one) packet = packet.subarray(0, one.cut)
          else if ('insert' in one) {
            const at = Math.min(one.at, packet.length)
            packet = Buffer.concat([packet.subarray(0, at), one.insert, packet.subarray(at)])
          } else {
            const { at, octet } = one
            packet = edited(packet, (copy) => (copy[at % Math.max(1, copy.length)] = octet))
          }
        }
        return { bad: [packet] }
      }
      const answer = await server.resolver().query(freshName(), type)
      const records: readonly object[] = answer.kind === 'found' ? answer.records : []
      // half an address is no address
      const isMadeUp = records.some((one) => 'address' in one && isIP(String(one.address)) === 0)
      server.prelude = () => ({ bad: [] })
      const next = await server.resolver().query(freshName(), 'A')
      return !isMadeUp && next.kind === 'found'
    }),
    { numRuns: 400 },
  )
  t.pass('no lookup failed to end')
})

/** Records of all types, with compressed names, for any question. */
function richReply(query: Buffer): Buffer {
  const { id, asked } = question(query)
  const { name } = asked
  const base = { name, ttl: 0 }
  return encode({
    type: 'response',
    id,
    flags: 0x0180,
    questions: [asked],
    answers: [
      { ...base, type: 'A', data: RIGHT },
      { ...base, type: 'AAAA', data: '2001:db8::1' },
      { ...base, type: 'MX', data: { preference: 10, exchange: `mx.${name}` } },
      { ...base, type: 'TXT', data: ['some', 'text'] },
      { ...base, type: 'SRV', data: { priority: 1, weight: 2, port: 25, target: `srv.${name}` } },
      { ...base, type: 'PTR', data: `ptr.${name}` },
      {
        ...base,
        type: 'TLSA',
        data: { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.alloc(32, 7) },
      },
    ],
    authorities: [
      {
        type: 'SOA',
        name: 'test',
        ttl: 60,
        data: { mname: 'ns.test', rname: 'root.test', minimum: 5 },
      },
    ],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 1232,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  })
}
