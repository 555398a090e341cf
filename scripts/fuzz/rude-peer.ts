/**
 * rude-peer - a server whose replies are right, odd, broken, early, late, missing, or cut off by the end of the connection
 *
 *     well server -> odd reply instead (reply-corpus) -> octets changed (reply-mutations) -> said when it should be, or not
 *
 * Everything comes from the random numbers of the input and from what the client says.
 */
import { ConversationReader, type Exchange } from './conversation-reader.ts'
import { WellServer, type PeerProfile } from './peer-profile.ts'
import type { Random } from './random.ts'
import { oddReplies } from './reply-corpus.ts'
import { mutate } from './reply-mutations.ts'

/** 'end': the client reads that we ended; 'reset': nothing can be read or written; 'deaf': it is not read from any more. */
export type PeerState = 'open' | 'silent' | 'deaf' | 'end' | 'reset'

const ODD_CHANCE = 0.04
const LAST_PLACE = 14
const QUIT = /^QUIT$/i

type Deed = (reply: string, peer: RudePeer) => string

export class RudePeer {
  readonly reader: ConversationReader
  state: PeerState = 'open'
  /** Octets that the client can read. */
  pending = ''
  /** Both sides in order, for a person. */
  readonly transcript: string[] = []
  readonly #well: WellServer
  readonly #random: Random
  /** By the place of the reply among all. */
  readonly #deeds = new Map<number, Deed[]>()
  #place = 0
  #answered = 0
  /** Replies that were said early. */
  #prepaid = 0
  #held = ''

  constructor(profile: PeerProfile, random: Random) {
    this.reader = new ConversationReader(profile.isLmtp)
    this.#well = new WellServer(profile)
    this.#random = random
    for (let count = random.pick([0, 1, 1, 1, 2, 2, 3]); count > 0; count--) {
      const place = random.below(LAST_PLACE)
      this.#deeds.set(place, [...(this.#deeds.get(place) ?? []), random.pick(DEEDS)])
    }
    this.#serve()
  }

  receive(octets: string): void {
    this.transcript.push(`C ${octets}`)
    this.reader.client(octets)
    this.#serve()
  }

  /** A good reply to a command that has not come. */
  early(): string {
    this.#prepaid += 1
    return this.#well.reply(this.#random.pick(['MAIL', 'RCPT', 'DATA', '.', 'BDAT', 'EHLO x']))
  }

  extra(): string {
    return this.#well.reply(this.#random.pick(['MAIL', 'DATA', '.', 'QUIT', '']))
  }

  hold(reply: string): void {
    this.#held += reply
  }

  mutated(reply: string): string {
    return mutate(reply, this.#random)
  }

  cut(reply: string): string {
    return reply.slice(0, this.#random.below(reply.length + 1))
  }

  #serve(): void {
    for (; this.state === 'open'; this.#answered += 1) {
      const exchange = this.reader.exchanges[this.#answered]
      if (exchange === undefined) return
      for (let count = 0; count < exchange.wanted; count++) this.#answer(exchange)
      if (QUIT.test(exchange.line) && this.#isOpen) this.state = 'end'
    }
  }

  get #isOpen(): boolean {
    return this.state === 'open'
  }

  #answer({ kind, line }: Exchange): void {
    const request = kind === 'text' ? '.' : line
    const usual = this.#well.reply(request)
    if (this.#prepaid > 0) {
      this.#prepaid -= 1
      return
    }
    const isOdd = this.#random.chance(ODD_CHANCE)
    let reply = isOdd ? `${this.#random.pick(oddReplies(request))}\r\n` : usual
    const held = this.#held
    this.#held = ''
    for (const deed of this.#deeds.get(this.#place) ?? []) reply = deed(reply, this)
    this.#place += 1
    this.#say(reply + held)
  }

  #say(octets: string): void {
    if (octets === '') return
    this.transcript.push(`S ${octets}`)
    this.pending += octets
    this.reader.server(octets)
  }
}

function goes(state: PeerState): readonly Deed[] {
  return [
    (reply, peer) => {
      peer.state = state
      return reply
    },
    (reply, peer) => {
      peer.state = state
      return peer.cut(reply)
    },
  ]
}

const changed: Deed = (reply, peer) => peer.mutated(reply)

const DEEDS: readonly Deed[] = [
  ...Array<Deed>(22).fill(changed),
  ...goes('end'),
  ...goes('reset'),
  ...goes('silent'),
  ...goes('deaf'),
  // missing, doubled, too late, too early, one more than was asked for
  () => '',
  (reply) => reply + reply,
  (reply, peer) => {
    peer.hold(reply)
    return ''
  },
  (reply, peer) => reply + peer.early(),
  (reply, peer) => reply + peer.early() + peer.early() + peer.early(),
  (reply, peer) => reply + peer.extra(),
]
