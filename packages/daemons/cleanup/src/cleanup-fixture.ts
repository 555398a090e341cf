/**
 * cleanup-fixture - cleanup(8) on a queue directory of its own, without master(8) (for tests)
 *
 * trivial-rewrite(8) is played by a function, bounce(8) and trace(8) by a list of what they were asked.
 */
/* eslint-disable n/no-sync -- for tests */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { quoteAddress, unquoteAddress } from '@posthorn/address/quote-address'
import { MainConfig } from '@posthorn/config/main-config'
import { unlimitedFlow } from '@posthorn/daemon/flow-control'
import { socketPair } from '@posthorn/native/socket'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { encodeRecord, parseRecord } from '@posthorn/queue/record'
import { ByteStream } from '@posthorn/stream/byte-stream'
import type { BounceRequest } from '@posthorn/wire/bounce-protocol'
import { Channel } from '@posthorn/wire/channel'
import { CleanupOpening, SubmissionReply, cleanupProtocol } from '@posthorn/wire/cleanup-protocol'
import type { CleanupContext } from './cleanup-context.ts'
import { serveCleanup } from './cleanup-session.ts'
import { createContext, type Neighbours } from './create-context.ts'

export type TestRecord = readonly [type: string, payload: string]

export interface Submission {
  readonly id: string
  readonly status: number
  readonly reason: string
  /** The connection would take another message. */
  readonly stays: boolean
  /** The queue that has the file; undefined when there is none. */
  readonly queue: 'incoming' | 'hold' | undefined
  /** Of the queue file. */
  readonly records: readonly TestRecord[]
}

/** What the neighbours were asked. */
export interface Calls {
  readonly bounced: { readonly path: string; readonly request: BounceRequest }[]
  wakeUps: number
}

/** myorigin and mydomain are example.test, as trivial-rewrite(8) would complete addresses there. */
export async function playTrivialRewrite(
  rule: 'local' | 'remote',
  address: string,
): Promise<string> {
  const suffix = rule === 'local' ? 'example.test' : 'domain.invalid'
  let internal = unquoteAddress(address.replace(/^@[^:]*:/, ''))
  if (!internal.includes('@')) {
    const bang = /^([^!]+)!(.+)$/.exec(internal)
    if (bang !== null) internal = `${bang[2] ?? ''}@${bang[1] ?? ''}`
    else if (internal.includes('%')) internal = internal.replace(/%([^%]*)$/, '@$1')
    else internal += `@${suffix}`
  }
  const at = internal.lastIndexOf('@')
  let domain = internal.slice(at + 1)
  if (domain.endsWith('.')) domain = domain.slice(0, -1)
  if (domain !== '' && !/[.[]/.test(domain)) domain += `.${suffix}`
  return Promise.resolve(quoteAddress(`${internal.slice(0, at)}@${domain}`))
}

export class CleanupFixture {
  readonly context: CleanupContext
  calls: Calls = { bounced: [], wakeUps: 0 }
  readonly #directory: string
  readonly #before: string

  private constructor(directory: string, before: string, context: CleanupContext) {
    this.#directory = directory
    this.#before = before
    this.context = context
  }

  /** The queue directory becomes the working directory until close(). */
  static async open(
    settings: Readonly<Record<string, string>> = {},
    neighbours: Partial<Neighbours> = {},
  ): Promise<CleanupFixture> {
    const before = process.cwd()
    const directory = mkdtempSync(join(tmpdir(), 'ph-cleanup-'))
    for (const name of ['incoming', 'hold', 'bounce', 'defer', 'trace']) {
      mkdirSync(join(directory, name))
    }
    process.chdir(directory)
    const config = MainConfig.of({
      myhostname: 'mx.example.test',
      mydomain: 'example.test',
      myorigin: 'example.test',
      mydestination: 'example.test, localhost',
      inet_interfaces: '127.0.0.1',
      smtputf8_enable: 'yes',
      recipient_delimiter: '+',
      ...settings,
    })
    const calls: Calls = { bounced: [], wakeUps: 0 }
    const context = await createContext(config, QueueLayout.fromConfig(config), {
      rewriteClient: { rewrite: playTrivialRewrite },
      sendBounce: async (path, request) => {
        calls.bounced.push({ path, request })
        return Promise.resolve(0)
      },
      wakeQmgr: async () => {
        calls.wakeUps++
        return Promise.resolve()
      },
      ...neighbours,
    })
    const fixture = new CleanupFixture(directory, before, context)
    fixture.calls = calls
    return fixture
  }

  close(): void {
    process.chdir(this.#before)
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** Files in a queue. */
  files(queue: string): string[] {
    return readdirSync(queue)
  }

  /** @param pieceOctets send in pieces of this size; 0 = all at once */
  async submit(
    flags: number,
    records: readonly TestRecord[],
    options: { readonly pieceOctets?: number; readonly mayStay?: boolean } = {},
  ): Promise<Submission> {
    const [ours, theirs] = socketPair()
    const stream = new ByteStream(theirs, { timeoutMs: 10_000 })
    const serving = serveCleanup(
      stream,
      { stay: () => options.mayStay === true },
      this.context,
      unlimitedFlow,
    ).finally(async () => {
      if (stream.isOpen) await stream.end()
    })
    const channel = new Channel(new ByteStream(ours, { timeoutMs: 10_000 }))
    await channel.expectAnnouncement(cleanupProtocol)
    const id = channel.announced[0]?.[1] ?? ''
    const octets =
      CleanupOpening.encode({ flags }) +
      records.map(([type, payload]) => encodeRecord(type, payload)).join('')
    const size = options.pieceOctets ?? octets.length
    for (let at = 0; at < octets.length; at += size) {
      channel.stream.write(octets.slice(at, at + size))
      await channel.stream.flush()
    }
    const { status, reason, stays } = SubmissionReply.parse(await channel.receiveReply())
    channel.close()
    await serving
    const queue = (['incoming', 'hold'] as const).find((name) => existsSync(`${name}/${id}`))
    const file = queue === undefined ? '' : readFileSync(`${queue}/${id}`, 'latin1')
    return { id, status, reason, stays, queue, records: splitRecords(file) }
  }
}

function splitRecords(octets: string): TestRecord[] {
  const records: TestRecord[] = []
  for (let at = 0; at < octets.length;) {
    const record = parseRecord(octets, at)
    if (record === undefined) throw new Error('Cannot read queue file: it ends inside a record')
    records.push([record.type, record.payload])
    at = record.end
  }
  return records
}
