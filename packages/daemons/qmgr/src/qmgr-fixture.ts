/**
 * qmgr-fixture - a queue directory with a queue manager and fake services around it (for tests)
 *
 * The services are real sockets in the test's own process: trivial-rewrite, delivery agents, bounce, defer and trace.
 * What they are asked is kept; what they answer is the test's choice.
 */
/* eslint-disable n/no-sync -- for tests */
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { MainConfig } from '@posthorn/config/main-config'
import { unlimitedFlow, type FlowControl } from '@posthorn/daemon/flow-control'
import { createDeliveryContext } from '@posthorn/delivery/delivery-context'
import { captureLog } from '@posthorn/log/capture-log'
import { Acceptor, listenOn } from '@posthorn/native/socket'
import { encodeRecord } from '@posthorn/queue/record'
import { encodeSizeRecord } from '@posthorn/queue/size-record'
import { ByteStream } from '@posthorn/stream/byte-stream'
import {
  BounceReply,
  bounceProtocol,
  parseBounceRequest,
  type BounceRequest,
} from '@posthorn/wire/bounce-protocol'
import { Channel } from '@posthorn/wire/channel'
import {
  DeliveryReplyList,
  deliveryProtocol,
  emptyDsn,
  receiveDeliveryRequest,
  type DeliveryReply,
  type ReceivedRequest,
} from '@posthorn/wire/delivery-request'
import {
  parseRewriteRequest,
  RESOLVE_FLAGS,
  ResolveReplyList,
  rewriteProtocol,
  RewriteReply,
  type ResolveReply,
} from '@posthorn/wire/rewrite-protocol'
import { QueueManager } from './queue-manager.ts'
import { readQmgrSettings } from './qmgr-settings.ts'
import { systemClock } from './schedule/clock.ts'

interface Test {
  teardown: (undo: () => void) => unknown
}

/** Done, nothing left to do. */
export const delivered: DeliveryReply = { hopStatus: emptyDsn, status: 0, stays: false }
export const leftOver: DeliveryReply = { hopStatus: emptyDsn, status: -1, stays: false }

export interface MessageOptions {
  readonly sender?: string
  readonly recipients?: readonly string[]
  /** Encoded records to put behind the sender. */
  readonly records?: string
  readonly createSeconds?: number
  readonly mode?: number
  readonly sizeFlags?: number
}

/** A queue file as cleanup(8) writes it. */
export function queueFile(options: MessageOptions = {}): string {
  const { sender = 's@spec.test', recipients = ['r@x.test'], records = '' } = options
  const now = Math.floor(Date.now() / 1000)
  const created = options.createSeconds ?? now
  const envelope =
    encodeRecord('T', `${created} 1`) +
    encodeRecord('A', `create_time=${created}`) +
    encodeRecord('S', sender) +
    records +
    recipients.map((one) => encodeRecord('O', one) + encodeRecord('R', one)).join('') +
    encodeRecord('M')
  const content = encodeRecord('N', 'Subject: x') + encodeRecord('N') + encodeRecord('N', 'hi')
  const size = encodeSizeRecord({
    dataSize: content.length,
    dataOffset: 97 + envelope.length,
    recipientCount: recipients.length,
    flags: options.sizeFlags ?? 0,
    contentLength: content.length,
    smtputf8: 0,
  })
  return size + envelope + content + encodeRecord('X') + encodeRecord('E')
}

export class QmgrFixture {
  readonly log = captureLog()
  readonly requests: ReceivedRequest[] = []
  readonly bounces: { service: string; request: BounceRequest }[] = []
  resolveCount = 0
  /** What the fakes answer. */
  resolve: (address: string) => ResolveReply = (address) => ({
    transport: 'smtp',
    nexthop: address.slice(address.lastIndexOf('@') + 1),
    recipient: address,
    flags: RESOLVE_FLAGS.classDefault,
  })
  deliver: (received: ReceivedRequest) => DeliveryReply | Promise<DeliveryReply> = () => delivered
  bounceStatus = 0
  manager: QueueManager
  readonly #acceptors: Acceptor[] = []

  constructor(
    test: Test,
    directory: string,
    settings: Record<string, string> = {},
    flow: FlowControl = unlimitedFlow,
  ) {
    const before = process.cwd()
    process.chdir(directory)
    for (const name of ['incoming', 'active', 'deferred', 'corrupt', 'bounce', 'defer', 'trace']) {
      mkdirSync(name)
    }
    mkdirSync('private')
    mkdirSync('public')
    test.teardown(() => {
      for (const acceptor of this.#acceptors) acceptor.close()
      this.log.restore()
      process.chdir(before)
    })
    const config = MainConfig.of({
      queue_directory: process.cwd(),
      hash_queue_names: 'none',
      myhostname: 'host.test',
      ipc_idle: '1s',
      ...settings,
    })
    this.manager = new QueueManager(
      readQmgrSettings(config),
      createDeliveryContext(config),
      flow,
      systemClock,
    )
    this.serve('private/rewrite', async (channel) => this.#rewrite(channel))
    for (const service of ['bounce', 'defer', 'trace']) {
      this.serve(`private/${service}`, async (channel) => this.#bounce(service, channel))
    }
  }

  /** A delivery agent on private/NAME. */
  agent(name: string): void {
    this.serve(`private/${name}`, async (channel) => {
      channel.announce(deliveryProtocol)
      const received = await receiveDeliveryRequest(channel)
      if (received === undefined) return
      this.requests.push(received)
      const reply = await this.deliver(received)
      channel.send(DeliveryReplyList.encode(reply))
      await channel.receive()
    })
  }

  serve(path: string, talk: (channel: Channel) => Promise<void>): void {
    const acceptor = new Acceptor(listenOn({ family: 'unix', path }, { backlog: 50 }), (client) => {
      const stream = new ByteStream(client)
      talk(new Channel(stream)).then(
        () => {
          stream.close()
        },
        () => {
          stream.close()
        },
      )
    })
    acceptor.resume()
    this.#acceptors.push(acceptor)
  }

  put(queue: string, id: string, octets: string, mode = 0o700): void {
    const path = `${queue}/${id}`
    writeFileSync(path, octets, { encoding: 'latin1', mode })
  }

  /** Puts a message into the incoming queue and tells the queue manager. */
  send(id: string, options: MessageOptions = {}): void {
    this.put('incoming', id, queueFile(options), options.mode)
    this.manager.trigger('W')
  }

  where(id: string): string[] {
    return ['incoming', 'active', 'deferred', 'corrupt'].filter((queue) =>
      readdirSync(queue).includes(id),
    )
  }

  read(path: string): string {
    return readFileSync(path, 'latin1')
  }

  modifiedSeconds(path: string): number {
    return statSync(path).mtimeMs / 1000
  }

  setModified(path: string, seconds: number): void {
    utimesSync(path, seconds, seconds)
  }

  async #rewrite(channel: Channel): Promise<void> {
    channel.announce(rewriteProtocol)
    for (;;) {
      const attrs = await channel.receive()
      if (attrs === undefined) return
      const request = parseRewriteRequest(attrs)
      if (request.request === 'rewrite') {
        channel.send(RewriteReply.encode({ serverFlags: 0, address: request.address }))
        continue
      }
      this.resolveCount += 1
      channel.send(ResolveReplyList.encode({ serverFlags: 0, ...this.resolve(request.address) }))
    }
  }

  async #bounce(service: string, channel: Channel): Promise<void> {
    channel.announce(bounceProtocol)
    const attrs = await channel.receive()
    if (attrs === undefined) return
    this.bounces.push({ service, request: parseBounceRequest(attrs) })
    channel.send(BounceReply.encode({ status: this.bounceStatus }))
    await channel.stream.flush()
  }
}
