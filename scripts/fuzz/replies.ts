/**
 * replies - the fuzzing of smtp(8) and lmtp(8) by what servers say, from the greeting to the end of a second message
 *
 * The client is the real one, over a transport in memory. Each input has a client (protocol, chunking, SASL, deadlines), a
 * server with its extensions, one to four recipients, one or two messages in the same session, and things that are done to
 * the server's replies.
 */
import { ByteStream } from '@posthorn/stream/byte-stream'
import { CacheUse } from '../../packages/daemons/smtp/src/cache-use.ts'
import type { Protocol } from '../../packages/daemons/smtp/src/client-options.ts'
import { Delivery } from '../../packages/daemons/smtp/src/delivery.ts'
import { TlsWish } from '../../packages/daemons/smtp/src/require-tls.ts'
import { SessionCourse } from '../../packages/daemons/smtp/src/session-course.ts'
import type { SmtpClient } from '../../packages/daemons/smtp/src/smtp-client.ts'
import { NO_TLS } from '../../packages/daemons/smtp/src/tls-policy.ts'
import { DeliveryLab, type StoredText } from './delivery-lab.ts'
import { judge, judgeManners, type Reported, type Seen } from './delivery-oracle.ts'
import type { FuzzOutcome, FuzzTarget } from './fuzz-target.ts'
import { MECHANISMS, PASSWORD, randomProfile } from './peer-profile.ts'
import { PeerTransport } from './peer-transport.ts'
import { Random } from './random.ts'
import { RudePeer } from './rude-peer.ts'

const HOST = { name: 'peer.test', address: '192.0.2.1', port: 25, preference: 0 }
const ELEMENT = '[peer.test]'
/** Octets in the input buffer that nobody has taken: one reply line and one read. */
const BUFFERED_LIMIT = 1_200_000

interface ClientKind {
  readonly protocol: Protocol
  readonly settings: Readonly<Record<string, string>>
  readonly hasSasl: boolean
}

const sasl = {
  smtp_sasl_auth_enable: 'yes',
  smtp_sasl_password_maps: `inline:{{peer.test=user:${PASSWORD}}}`,
  smtp_sasl_security_options: 'noanonymous',
}
const chunking = { smtp_chunking_enable: 'yes', lmtp_chunking_enable: 'yes' }
const timed = { smtp_per_request_deadline: 'yes', lmtp_per_request_deadline: 'yes' }

const KINDS: readonly ClientKind[] = [
  { protocol: 'smtp', settings: {}, hasSasl: false },
  { protocol: 'smtp', settings: chunking, hasSasl: false },
  { protocol: 'smtp', settings: { ...chunking, ...sasl }, hasSasl: true },
  { protocol: 'smtp', settings: { ...sasl, smtp_skip_quit_response: 'no' }, hasSasl: true },
  {
    protocol: 'smtp',
    settings: {
      ...chunking,
      ...timed,
      smtp_send_xforward_command: 'yes',
      smtputf8_enable: 'no',
      smtp_address_verify_target: 'data',
    },
    hasSasl: false,
  },
  { protocol: 'lmtp', settings: {}, hasSasl: false },
  { protocol: 'lmtp', settings: { ...chunking, ...timed }, hasSasl: false },
]

const line = (at: number): string => `${'.'.repeat(at % 3)}line ${at} ${'x'.repeat(at % 70)}`
const TEXTS: readonly (readonly string[])[] = [
  ['Subject: test', '', 'body'],
  ['', '.', '..', '.two', '', 'gr\xc3\xbc\xc3\x9fe', '.'],
  [],
  Array.from({ length: 200 }, (_, at) => line(at)),
]
const LARGE: readonly string[] = Array.from({ length: 3200 }, (_, at) => line(at))
const LARGE_CHANCE = 0.005
const PROBE_CHANCE = 0.04

/** For the test of the oracle: does to a delivery what no client should. */
export type Sabotage = (delivery: Delivery, transport: PeerTransport) => void

export class ReplyFuzz implements FuzzTarget {
  readonly name = 'replies'
  readonly words = ['delivered', 'deferred', 'bounced', 'left', 'reused']
  readonly #lab: DeliveryLab
  readonly #clients: readonly { kind: ClientKind; client: SmtpClient }[]
  readonly #texts: readonly StoredText[]
  readonly #large: StoredText
  readonly #sabotage: Sabotage | undefined
  #described: string[] = []

  private constructor(
    lab: DeliveryLab,
    clients: readonly { kind: ClientKind; client: SmtpClient }[],
    sabotage: Sabotage | undefined,
  ) {
    this.#lab = lab
    this.#clients = clients
    this.#sabotage = sabotage
    this.#texts = TEXTS.map((lines) => lab.store(lines))
    this.#large = lab.store(LARGE)
  }

  static async open(sabotage?: Sabotage): Promise<ReplyFuzz> {
    const lab = new DeliveryLab()
    const clients = []
    for (const kind of KINDS) {
      clients.push({ kind, client: await lab.client(kind.protocol, kind.settings) })
    }
    return new ReplyFuzz(lab, clients, sabotage)
  }

  async run(seed: number, index: number): Promise<FuzzOutcome> {
    const random = new Random(seed, index)
    const { kind, client } = random.pick(this.#clients)
    const isLmtp = kind.protocol === 'lmtp'
    const mechanism = kind.hasSasl ? random.pick(MECHANISMS) : undefined
    const profile = randomProfile(isLmtp, mechanism, random)
    const peer = new RudePeer(profile, random)
    const transport = new PeerTransport(peer, random)
    const stream = new ByteStream(transport)
    const isFinal = random.chance(0.85)
    const counts = { delivered: 0, deferred: 0, bounced: 0, left: 0, reused: 0 }
    const findings: string[] = []
    const settings = Object.entries(kind.settings).map(([name, value]) => `${name}=${value}`)
    this.#described = [`${kind.protocol} ${settings.join(' ')}`, ...profile.keywords]
    try {
      for (let message = 0; message < 2; message++) {
        const text = random.chance(LARGE_CHANCE) ? this.#large : random.pick(this.#texts)
        const sender = random.chance(0.1) ? '' : 'from@b.test'
        const recipients = Array.from(
          { length: random.pick([1, 1, 2, 3, 4]) },
          (_, at) => `r${at}.m${message}@a.test`,
        )
        this.#lab.forget()
        const delivery = new Delivery(
          this.#lab.job(text, sender, recipients, random.chance(PROBE_CHANCE)),
        )
        this.#sabotage?.(delivery, transport)
        delivery.isFinalServer = isFinal
        const isUsed = await this.#deliver(client, delivery, stream, message, isFinal)
        if (stream.buffered.length > BUFFERED_LIMIT) findings.push('too much in the input buffer')
        const reported: Reported = {
          sender,
          recipients,
          content: text.content,
          log: this.#lab.log,
          records: this.#lab.records,
          marks: this.#lab.takeMarks(text),
          left: delivery.recipientsLeft.map(({ recipient }) => recipient),
          isFinal: isFinal && isUsed,
        }
        const seen: Seen = { reader: peer.reader, isLmtp }
        findings.push(...judge(seen, reported), ...judgeManners(seen), ...this.#findSecrets())
        count(counts, reported)
        if (message > 0 && isUsed) counts.reused += 1
        this.#described.push(...this.#lab.log)
        if (!isUsed || transport.isClosed) break
      }
    } finally {
      client.cache.close()
      this.#described.push(...peer.transcript)
      this.#lab.forget()
    }
    if (!transport.isClosed) findings.push('the connection was neither closed nor kept')
    return { counts, findings: [...new Set(findings)] }
  }

  describe(): string {
    return this.#described.map((text) => JSON.stringify(text).slice(0, 2000)).join('\n')
  }

  close(): void {
    this.#lab.close()
  }

  /** False: there was no connection for it. */
  async #deliver(
    client: SmtpClient,
    delivery: Delivery,
    stream: ByteStream,
    message: number,
    isFinalSession: boolean,
  ): Promise<boolean> {
    const cacheUse = new CacheUse()
    cacheUse.mayStore = true
    cacheUse.destination = ELEMENT
    const course = new SessionCourse(client, delivery, cacheUse, new TlsWish())
    if (message === 0) {
      await course.useNew({
        connection: { kind: 'connected', stream },
        target: { element: ELEMENT, domain: 'peer.test', host: HOST },
        policy: NO_TLS,
        features: 0,
        startedMs: Date.now(),
        isFinalSession,
      })
      return true
    }
    const { sender } = delivery.job.request
    const wanted = { nexthop: ELEMENT, port: HOST.port }
    const start = await client.cache.findDestination(sender, ELEMENT, wanted)
    return start !== undefined && course.useCached(start)
  }

  #findSecrets(): string[] {
    const secret = [
      PASSWORD,
      Buffer.from(PASSWORD).toString('base64'),
      Buffer.from(`\0user\0${PASSWORD}`).toString('base64'),
    ]
    const texts = [...this.#lab.log, ...this.#lab.records]
    return texts.some((text) => secret.some((one) => text.includes(one)))
      ? ['a password in the log']
      : []
  }
}

function count(
  counts: Record<'delivered' | 'deferred' | 'bounced' | 'left', number>,
  { log, left }: Reported,
): void {
  for (const text of log) {
    const status = /, status=(sent|deferred|bounced) \(/.exec(text)?.[1]
    if (status === 'sent') counts.delivered += 1
    if (status === 'deferred') counts.deferred += 1
    if (status === 'bounced') counts.bounced += 1
  }
  counts.left += left.length
}
