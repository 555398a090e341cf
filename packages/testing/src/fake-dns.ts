/**
 * fake-dns - a name server whose zones are plain maps
 *
 *     const dns = await FakeDns.start({
 *       'example.test': { MX: [[10, 'mx1.example.test']], A: ['192.0.2.1'] },
 *       'www.example.test': { CNAME: 'example.test' },
 *       'slow.test': 'timeout', 'broken.test': 'servfail',
 *     })
 *     const resolver = new Resolver({ servers: [dns.server] })
 *
 * A name that is not in the map does not exist (NXDOMAIN), unless it stands above one that is. Serves UDP and
 * TCP on one port of the loopback interface, and remembers what it was asked.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Server } from 'node:net'
import {
  AUTHENTIC_DATA,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
  decode,
  encode,
  type Answer,
  type Packet,
  type Question,
} from 'dns-packet'

export interface FakeRecords {
  A?: readonly string[]
  AAAA?: readonly string[]
  MX?: readonly (readonly [preference: number, host: string])[]
  TXT?: readonly string[]
  SRV?: readonly (readonly [priority: number, weight: number, port: number, host: string])[]
  PTR?: readonly string[]
  NS?: readonly string[]
  TLSA?: readonly (readonly [usage: number, selector: number, matching: number, data: string])[]
  CNAME?: string
  /** Replies about it, and about what stands below it and does not say otherwise, carry AD: its zone is signed. */
  isSecure?: boolean
  /** Default 300. Also the negative TTL of the name. */
  ttlSeconds?: number
  /** Over UDP only a truncated, empty reply. */
  isTruncated?: boolean
}

/** timeout: no reply at all; garbage: a reply that is no DNS packet. */
export type FakeName = FakeRecords | 'timeout' | 'garbage' | keyof typeof REPLY_CODES

export interface FakeDnsOptions {
  /** Replies carry AD, unless the name says otherwise. */
  isSecure?: boolean
  /** As servers that have not heard of RFC 6891 do: FORMERR to any question with OPT. */
  refusesEdns?: boolean
  /** Default: any free one. */
  port?: number
  /** Of the loopback network; default: 127.0.0.1. */
  address?: string
}

const FORMERR = 1
const NXDOMAIN = 3
const REPLY_CODES = { formerr: FORMERR, servfail: 2, notimp: 4, refused: 5 } as const

function recordsOf(name: string, type: string, records: FakeRecords): Answer[] {
  const ttl = records.ttlSeconds ?? 300
  if (records.CNAME !== undefined) return [{ type: 'CNAME', name, ttl, data: records.CNAME }]
  switch (type) {
    case 'A':
      return (records.A ?? []).map((data) => ({ type, name, ttl, data }))
    case 'AAAA':
      return (records.AAAA ?? []).map((data) => ({ type, name, ttl, data }))
    case 'PTR':
      return (records.PTR ?? []).map((data) => ({ type, name, ttl, data }))
    case 'NS':
      return (records.NS ?? []).map((data) => ({ type, name, ttl, data }))
    case 'TXT':
      return (records.TXT ?? []).map((data) => ({ type, name, ttl, data }))
    case 'MX':
      return (records.MX ?? []).map(([preference, exchange]) => ({
        type,
        name,
        ttl,
        data: { preference, exchange },
      }))
    case 'SRV':
      return (records.SRV ?? []).map(([priority, weight, port, target]) => ({
        type,
        name,
        ttl,
        data: { priority, weight, port, target },
      }))
    case 'TLSA':
      return (records.TLSA ?? []).map(([usage, selector, matchingType, data]) => ({
        type,
        name,
        ttl,
        data: { usage, selector, matchingType, certificate: Buffer.from(data, 'hex') },
      }))
    default:
      return []
  }
}

export class FakeDns {
  /** 'MX example.test', in the order asked. */
  readonly queries: string[] = []
  readonly #names: Map<string, FakeName>
  readonly #options: FakeDnsOptions
  readonly #udp: UdpSocket
  readonly #tcp: Server

  private constructor(names: Record<string, FakeName>, options: FakeDnsOptions) {
    this.#names = new Map(Object.entries(names).map(([name, value]) => [name.toLowerCase(), value]))
    this.#options = options
    this.#udp = createSocket('udp4')
    this.#udp.on('message', (octets, sender) => {
      const reply = this.#reply(octets, true)
      if (reply !== undefined) this.#udp.send(reply, sender.port, sender.address)
    })
    this.#tcp = createServer((socket) => {
      let received = Buffer.alloc(0)
      socket.on('error', () => socket.destroy())
      socket.on('data', (octets) => {
        received = Buffer.concat([received, octets])
        if (received.length < 2 || received.length < received.readUInt16BE() + 2) return
        const reply = this.#reply(received.subarray(2), false)
        if (reply === undefined) return
        const length = Buffer.alloc(2)
        length.writeUInt16BE(reply.length)
        socket.end(Buffer.concat([length, reply]))
      })
    })
  }

  static async start(
    names: Record<string, FakeName>,
    options: FakeDnsOptions = {},
  ): Promise<FakeDns> {
    const fake = new FakeDns(names, options)
    const { port = 0, address = '127.0.0.1' } = options
    await new Promise<void>((resolve, reject) => {
      fake.#tcp.on('error', reject)
      fake.#tcp.listen(port, address, resolve)
    })
    await new Promise<void>((resolve, reject) => {
      fake.#udp.on('error', reject)
      fake.#udp.bind(fake.server.port, address, resolve)
    })
    return fake
  }

  get server(): { address: string; port: number } {
    const bound = this.#tcp.address()
    if (bound === null || typeof bound === 'string') throw new Error('Cannot serve: not listening')
    return { address: bound.address, port: bound.port }
  }

  /** For main.cf: dns_nameservers. */
  get nameservers(): string {
    return `[${this.server.address}]:${this.server.port}`
  }

  /** Changes what a name holds from now on; undefined makes it non-existent. */
  set(name: string, value: FakeName | undefined): void {
    if (value === undefined) this.#names.delete(name.toLowerCase())
    else this.#names.set(name.toLowerCase(), value)
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#udp.close(resolve)
    })
    await new Promise((resolve) => this.#tcp.close(resolve))
  }

  #reply(octets: Buffer, isUdp: boolean): Buffer | undefined {
    const query = decode(octets)
    const question = query.questions?.[0]
    if (question === undefined) return undefined
    this.queries.push(`${question.type} ${question.name}`)
    const value = this.#names.get(question.name.toLowerCase())
    if (value === 'timeout') return undefined
    if (value === 'garbage') return Buffer.from('this is no DNS packet')
    const reply = this.#answer(question, value, isUdp)
    if (this.#options.refusesEdns === true && (query.additionals ?? []).length > 0) {
      return encode({ type: 'response', id: query.id, flags: FORMERR })
    }
    const flags = (reply.flags ?? 0) | RECURSION_DESIRED | RECURSION_AVAILABLE
    return encode({
      type: 'response',
      id: query.id,
      questions: [question],
      ...reply,
      flags: flags | (this.#isSecure(question.name, reply) ? AUTHENTIC_DATA : 0),
    })
  }

  /** RFC 4035 3.2.3: all that the reply holds is secure, aliases and their targets too. */
  #isSecure(question: string, reply: Packet): boolean {
    const names = [question, ...(reply.answers ?? []).map(({ name }) => name)]
    return names.every((name) => {
      const labels = name.toLowerCase().split('.')
      for (let at = 0; at < labels.length; at++) {
        const value = this.#names.get(labels.slice(at).join('.'))
        if (typeof value === 'object' && value.isSecure !== undefined) return value.isSecure
      }
      return this.#options.isSecure === true
    })
  }

  #answer(question: Question, value: FakeName | undefined, isUdp: boolean): Packet {
    if (typeof value === 'string' && value in REPLY_CODES) {
      return { flags: REPLY_CODES[value as keyof typeof REPLY_CODES] }
    }
    const below = `.${question.name.toLowerCase()}`
    if (value === undefined || typeof value === 'string') {
      const exists = [...this.#names.keys()].some((name) => name.endsWith(below))
      return { flags: exists ? 0 : NXDOMAIN, authorities: [soa(question.name, 60)] }
    }
    if (isUdp && value.isTruncated === true) return { flags: TRUNCATED_RESPONSE }
    const answers = recordsOf(question.name, question.type, value)
    const target =
      value.CNAME === undefined ? undefined : this.#names.get(value.CNAME.toLowerCase())
    if (value.CNAME !== undefined && typeof target === 'object' && target.CNAME === undefined) {
      answers.push(...recordsOf(value.CNAME, question.type, target))
    }
    const authorities = answers.length > 0 ? [] : [soa(question.name, value.ttlSeconds ?? 300)]
    return { flags: 0, answers, authorities }
  }
}

function soa(name: string, minimum: number): Answer {
  const data = { mname: 'ns.test', rname: 'root.ns.test', minimum }
  return { type: 'SOA', name, ttl: minimum, data }
}
