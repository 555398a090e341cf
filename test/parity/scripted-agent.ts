/**
 * scripted-agent - a delivery agent in the test's own process, on a socket in the private directory
 *
 * Speaks the real protocol, so that the queue manager of either system can be asked what it requests, in which
 * order, and how much at once. What it answers is the test's choice. It reports no recipient to the log or to
 * bounce(8): what the test reads there is the queue manager's doing, and that of the services it asks.
 */
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { openSync, closeSync } from 'node:fs'
import { Acceptor, listenOn } from '@posthorn/native/socket'
import { markDone } from '@posthorn/queue/mark'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import {
  DELIVERY_FLAGS,
  DeliveryReplyList,
  deliveryProtocol,
  emptyDsn,
  receiveDeliveryRequest,
  type DeliveryReply,
  type DeliveryRequest,
  type ReceivedRequest,
} from '@posthorn/wire/delivery-request'
import type { Test } from 'tap'
import type { Instance } from '../../scripts/instance.ts'

/** `hangUp`: no answer; `garbage`: an answer that is none. */
export type Answer = DeliveryReply | 'hangUp' | 'garbage'

export const DELIVERED: DeliveryReply = { hopStatus: emptyDsn, status: 0, stays: false }
export const LEFT_OVER: DeliveryReply = { hopStatus: emptyDsn, status: -1, stays: false }

/** The destination as a whole is out of reach. */
export function unreachable(reason: string): DeliveryReply {
  return { hopStatus: { ...emptyDsn, status: '4.4.1', reason }, status: -1, stays: false }
}

export class ScriptedAgent {
  /** In the order in which the queue manager chose them. */
  readonly requests: ReceivedRequest[] = []
  /** Deliveries in progress, and the most that there ever were. */
  running = 0
  mostRunning = 0
  answer: (received: ReceivedRequest, count: number) => Answer | Promise<Answer> = () => DELIVERED
  readonly #directory: string
  readonly #acceptor: Acceptor
  readonly #open = new Set<ByteStream>()
  /** Settles when the last connection before has its request. */
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(directory: string, path: string, announcement: string) {
    this.#directory = directory
    this.#acceptor = new Acceptor(listenOn({ family: 'unix', path }, { backlog: 50 }), (client) => {
      const stream = new ByteStream(client)
      this.#open.add(stream)
      // A queue manager that is gone is no concern of the agent.
      this.#serve(new Channel(stream), announcement)
        .catch(() => undefined)
        .finally(() => {
          stream.close()
          this.#open.delete(stream)
        })
    })
    this.#acceptor.resume()
  }

  /**
   * Listens on private/NAME of the instance; no line of master.cf may have that name.
   *
   * @param announcement empty: hangs up at once
   */
  static async start(
    t: Test,
    instance: Instance,
    name: string,
    announcement: string = deliveryProtocol,
  ): Promise<ScriptedAgent> {
    const path = join(instance.queueDirectory, 'private', name)
    const agent = new ScriptedAgent(instance.queueDirectory, path, announcement)
    t.teardown(() => {
      agent.close()
    })
    await chmod(path, 0o666)
    return agent
  }

  /** Marks the recipients as done in the queue file (of an instance without hashed active queue). */
  mark({ request, recipients }: ReceivedRequest): void {
    const fd = openSync(join(this.#directory, request.queueName, request.queueId), 'r+')
    for (const { offset } of recipients) markDone(fd, offset)
    closeSync(fd)
  }

  /** `nexthop < recipient recipient`, without what varies from run to run. */
  told(): string[] {
    return this.requests.map(describe)
  }

  close(): void {
    this.#acceptor.close()
    for (const stream of this.#open) stream.close()
  }

  async #serve(channel: Channel, announcement: string): Promise<void> {
    if (announcement === '') return
    const received = await this.#receive(channel, announcement)
    if (received === undefined) return
    this.running += 1
    this.mostRunning = Math.max(this.mostRunning, this.running)
    try {
      const answer = await this.answer(received, this.requests.length)
      if (answer === 'hangUp') return
      if (answer === 'garbage') channel.sendList([['what', 'is this']])
      else channel.send(DeliveryReplyList.encode(answer))
      await channel.stream.flush()
    } finally {
      this.running -= 1
    }
    await channel.receive()
  }

  /**
   * The request of one connection. A queue manager chooses what to deliver when it reads the announcement; announced
   * to one after the other, the requests come in the order of its choice.
   */
  async #receive(channel: Channel, announcement: string): Promise<ReceivedRequest | undefined> {
    const before = this.#turn
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#turn = promise
    await before
    try {
      channel.announce(announcement)
      const received = await receiveDeliveryRequest(channel)
      if (received === undefined) return undefined
      // that our queue manager would keep the connection is a difference on purpose
      const flags = received.request.flags & ~DELIVERY_FLAGS.stay
      this.requests.push({ ...received, request: { ...received.request, flags } })
      return received
    } finally {
      resolve(undefined)
    }
  }
}

function describe({ request, recipients }: ReceivedRequest): string {
  const names = recipients.map(({ recipient, originalRecipient, notifyFlags }) => {
    const original = originalRecipient === recipient ? '' : `(${originalRecipient})`
    return `${recipient}${original}${notifyFlags === 0 ? '' : `/${notifyFlags}`}`
  })
  return `${request.nexthop} < ${names.join(' ')}`
}

/** Of a request what is the same in each run, and whether the rest is there. */
export function facts(request: DeliveryRequest | undefined): Record<string, unknown> | undefined {
  if (request === undefined) return undefined
  const { queueId, logIdent, stats } = request
  return {
    ...request,
    queueId: queueId !== '',
    logIdent: logIdent === queueId,
    stats: stats.arrivalMs > 0 && stats.activeMs > 0,
    dataOffset: request.dataOffset > 0,
    sizeBytes: request.sizeBytes > 0,
    clientPort: request.clientPort !== '',
  }
}
