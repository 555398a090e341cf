/**
 * smtp-delivery - the same delivery request to the smtp(8) or lmtp(8) of both systems, against the same servers
 *
 * The test is the queue manager: it writes the queue file, speaks to the daemon's socket, and notes what the servers
 * were sent, what the log says, what was recorded for bounces, and what the reply is. Every scenario has addresses
 * and names of its own, so that all of them can run at once:
 *
 *     $1 ... $9   127.0.N.1 ... 127.0.N.9, for servers on port 25 (24 for LMTP)
 *     $d          dN.test, for the name server
 *     $dir        a directory for sockets
 *
 * Imports private-network.ts: the whole test file runs in a network of its own.
 */
import './private-network.ts'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { deliveryRequest } from '@posthorn/testing/delivery-request'
import { FakeDns, type FakeDnsOptions, type FakeName } from '@posthorn/testing/fake-dns'
import { ScriptedPeer, type PeerOptions } from '@posthorn/testing/scripted-peer'
import { EndOfStreamError } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import {
  deliveryProtocol,
  DELIVERY_FLAGS,
  encodeDeliveryRequest,
  noStats,
  receiveDeliveryReply,
  type DeliveryReply,
  type DeliveryRequest,
  type Recipient,
} from '@posthorn/wire/delivery-request'
import { execa } from 'execa'
import type { Test } from 'tap'
import type { Instance, System } from '../../scripts/instance.ts'
import { comparable, startSystem, SYSTEMS } from './both-systems.ts'

export interface Scenario {
  /** By address; `path` for a socket below $dir. */
  servers?: Record<string, PeerOptions>
  names?: Record<string, FakeName>
  /** main.cf parameters: the scenario then has a service of its own. */
  settings?: Record<string, string>
  program?: 'smtp' | 'lmtp'
  /** Arguments of the daemon, as flags=... */
  args?: string
  nexthop: string
  /** Of the deliveries, one after the other, instead of `nexthop` each time. */
  nexthops?: readonly string[]
  sender?: string
  recipients?: readonly (string | Partial<Recipient>)[]
  /** Lines of the content. */
  lines?: readonly string[]
  request?: Partial<DeliveryRequest>
  /** One delivery at a time, so that ours, too, keeps idle connections in scache(8) only. */
  isSingle?: boolean
  /** So many deliveries, one after the other; default 1. */
  times?: number
  /** What is allowed to differ in the log is made the same here, or left out; with the reason beside it. */
  allow?: (line: string) => string | undefined
  /** The same for what a session was sent. */
  allowSent?: (octets: string) => string
}

export interface Seen {
  /** By server, what each session was sent. */
  servers: Record<string, string[]>
  log: string[]
  replies: (DeliveryReply | 'none')[]
  /** Recipients that are done in the queue file. */
  done: string[]
  /** Files of the bounce, defer and trace services. */
  records: string
  /** Mail to the postmaster about this scenario's servers. */
  notices: string[]
}

const AT_ONCE = 12
const DAEMON_LIMIT_MS = 60_000

interface Placed {
  name: string
  number: number
  scenario: Scenario
  service: string
  queueIds: string[]
}

function place(name: string, number: number, given: Scenario, directory: string): Placed {
  const fill = (text: string): string =>
    text
      .replaceAll('$dir', directory)
      .replaceAll('$d', `d${number}.test`)
      .replace(/\$([1-9])/g, `127.0.${number}.$1`)
  const filled = mapStrings(given, fill)
  const times = given.times ?? 1
  const queueIds = Array.from(
    { length: times },
    (_, at) => idPrefix(number) + at.toString(16).toUpperCase(),
  )
  const { settings, program, args, isSingle } = given
  const isPlain = [settings, program, args, isSingle].every((one) => one === undefined)
  return { name, number, scenario: filled, service: isPlain ? 'plain' : `s${number}`, queueIds }
}

/** A copy with every string in it, keys too, changed. */
function mapStrings<T>(value: T, change: (text: string) => string): T {
  const walk = (part: unknown): unknown => {
    if (typeof part === 'string') return change(part)
    if (Array.isArray(part)) return part.map(walk)
    if (part === null || typeof part !== 'object') return part
    return Object.fromEntries(Object.entries(part).map(([key, one]) => [change(key), walk(one)]))
  }
  return walk(value) as T
}

function masterLine({ scenario, service }: Placed): string {
  const { program = 'smtp', settings = {}, args = '', isSingle = false } = scenario
  const overrides = Object.entries({ syslog_name: service, ...settings }).map(
    ([name, value]) => ` -o {${name}=${value}}`,
  )
  return `${service} unix - - n - ${isSingle ? 1 : '-'} ${program}${overrides.join('')} ${args}`
}

/** Every scenario on both systems; one assertion for each kind of thing that can differ. */
export async function compareDeliveries(
  t: Test,
  scenarios: Record<string, Scenario>,
  dnsOptions: FakeDnsOptions = {},
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'parity-lmtp-'))
  await chmod(directory, 0o755)
  t.teardown(async () => rm(directory, { recursive: true, force: true }))
  const placed = Object.entries(scenarios).map(([name, scenario], at) =>
    place(name, at + 1, scenario, directory),
  )
  const names = Object.assign({}, ...placed.map(({ scenario }) => scenario.names ?? {})) as Record<
    string,
    FakeName
  >
  const seen: Partial<Record<System, Map<string, Seen>>> = {}
  for (const system of SYSTEMS) {
    const dns = await FakeDns.start(names, { ...dnsOptions, port: 53 })
    try {
      seen[system] = await runAll(t, system, placed)
    } finally {
      await dns.close()
    }
  }
  for (const { name } of placed) {
    const theirs = seen.postfix?.get(name)
    const ours = seen.posthorn?.get(name)
    t.same(ours?.servers, theirs?.servers, `${name}: the servers were sent the same`)
    t.same(ours?.log, theirs?.log, `${name}: the log says the same`)
    t.same(ours?.replies, theirs?.replies, `${name}: the queue manager is told the same`)
    t.same(ours?.done, theirs?.done, `${name}: the same recipients are done`)
    t.same(ours?.records, theirs?.records, `${name}: the same is recorded`)
    t.same(ours?.notices, theirs?.notices, `${name}: the postmaster is told the same`)
  }
}

/** What the daemons have queued themselves: nobody takes it away. */
async function readNotices(instance: Instance): Promise<string[]> {
  const paths = await instance.queued('incoming')
  const texts = await Promise.all(
    paths.map(async (path) =>
      execa('/usr/sbin/postcat', [
        '-c',
        instance.configDirectory,
        join(instance.queueDirectory, path),
      ]),
    ),
  )
  return texts.map(({ stdout }) =>
    comparable(stdout)
      // the name of the system is in it
      .replace(/^message_size: .*$/m, 'message_size: SIZE')
      .replace(/^message_arrival_time: .*$/m, 'message_arrival_time: TIME')
      .replace(/^create_time: .*$/m, 'create_time: TIME'),
  )
}

/** Scenarios without settings share a service: their lines are known by the queue id, an address, or a name. */
function ownLine(number: number): RegExp {
  return new RegExp(
    `${idPrefix(number)}[0-9A-F]\\b|127\\.0\\.${number}\\.\\d|\\bd${number}\\.test\\b`,
  )
}

function idPrefix(number: number): string {
  return `ABC${number.toString(16).toUpperCase().padStart(3, '0')}`
}

async function runAll(
  t: Test,
  system: System,
  placed: readonly Placed[],
): Promise<Map<string, Seen>> {
  const instance = await startSystem(t, system, {
    main: {
      inet_interfaces: '127.0.0.1',
      inet_protocols: 'all',
      myhostname: 'client.test',
      max_idle: '2s',
      queue_service_name: 'nobody',
      smtp_randomize_addresses: 'no',
      smtp_skip_quit_response: 'no',
    },
    // the test is the queue manager: the real one is never woken up, nor told of new mail
    master: ['qmgr unix n - n 0 1 qmgr', ...new Set(placed.map(masterLine))],
  })
  const { stdout } = await execa('id', ['-u', 'postfix'])
  const results = new Map<string, Seen>()
  const waiting = [...placed]
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        results.set(next.name, await runOne(instance, Number(stdout), next))
      }
    }),
  )
  const notices = await readNotices(instance)
  await instance.stop()
  const log = (await instance.log()).split('\n')
  for (const { name, number, service, scenario } of placed) {
    const result = results.get(name)
    if (result === undefined) continue
    const allow = scenario.allow ?? ((line: string) => line)
    const isOwn = service === 'plain' ? ownLine(number) : /^/
    result.notices = notices.filter((text) => ownLine(number).test(text))
    result.log = log
      .filter((line) => line.includes(` ${service}/`) && isOwn.test(line))
      // where a long line is cut depends on the delays in it
      .map((line) => allow(comparable(line).replace(/^\S+ /, '').slice(0, 1500)))
      .filter((line) => line !== undefined)
  }
  return results
}

async function runOne(instance: Instance, uid: number, placed: Placed): Promise<Seen> {
  const { scenario, queueIds } = placed
  const port = scenario.program === 'lmtp' ? 24 : 25
  const peers: [string, ScriptedPeer][] = []
  for (const [address, options] of Object.entries(scenario.servers ?? {})) {
    const where = options.path === undefined ? { address, port } : {}
    const peer = await ScriptedPeer.start({ ...where, ...options })
    if (options.path !== undefined) await chmod(options.path, 0o777)
    peers.push([address, peer])
  }
  try {
    const seen: Seen = { servers: {}, log: [], replies: [], done: [], records: '', notices: [] }
    for (const [at, queueId] of queueIds.entries()) {
      const nexthop = scenario.nexthops?.[at] ?? scenario.nexthop
      const message = { ...scenario, nexthop }
      const { request, recipients, path } = await writeMessage(instance, uid, queueId, message)
      seen.replies.push(await deliver(instance, placed.service, request, recipients))
      const file = await readFile(path, 'latin1')
      for (const { recipient, offset } of recipients) {
        if (file.charAt(offset) === RECORD.done) seen.done.push(recipient)
      }
      for (const log of ['bounce', 'defer/A', 'trace']) {
        const text = await readFile(join(instance.queueDirectory, log, queueId), 'latin1').catch(
          () => '',
        )
        if (text !== '') seen.records += `${log}:\n${text}`
      }
      await rm(path)
    }
    for (const [address, peer] of peers) {
      seen.servers[address] = peer.sessions.map(
        ({ received }) => scenario.allowSent?.(received) ?? received,
      )
    }
    return seen
  } finally {
    for (const [, peer] of peers) await peer.close()
  }
}

async function deliver(
  instance: Instance,
  service: string,
  request: DeliveryRequest,
  recipients: readonly Recipient[],
): Promise<DeliveryReply | 'none'> {
  const path = join(instance.queueDirectory, 'private', service)
  const options = { protocol: deliveryProtocol, timeoutMs: DAEMON_LIMIT_MS }
  const channel = await Channel.connect(path, options)
  try {
    channel.send(encodeDeliveryRequest(request, recipients))
    return await receiveDeliveryReply(channel)
  } catch (error) {
    if (!(error instanceof EndOfStreamError)) throw error
    return 'none'
  } finally {
    channel.close()
  }
}

async function writeMessage(
  instance: Instance,
  uid: number,
  queueId: string,
  scenario: Scenario,
): Promise<{ request: DeliveryRequest; recipients: Recipient[]; path: string }> {
  // the real ones panic when a recipient is at offset 0
  let octets = encodeRecord(RECORD.time, '1000000000')
  const recipients = (scenario.recipients ?? ['to@example.test']).map((given) => {
    const fields = typeof given === 'string' ? { recipient: given } : given
    const offset = octets.length
    octets += encodeRecord(RECORD.recipient, fields.recipient ?? '')
    return {
      recipient: '',
      originalRecipient: '',
      dsnOriginalRecipient: '',
      notifyFlags: 0,
      ...fields,
      offset,
    }
  })
  octets += encodeRecord(RECORD.message)
  const dataOffset = octets.length
  const lines = scenario.lines ?? ['Subject: test', '', 'body']
  octets += lines.map((line) => encodeRecord(RECORD.line, line)).join('')
  const sizeBytes = octets.length - dataOffset
  octets += encodeRecord(RECORD.extracted) + encodeRecord(RECORD.end)
  const folder = join(instance.queueDirectory, 'active')
  await mkdir(folder, { recursive: true })
  const path = join(folder, queueId)
  await writeFile(path, octets, { encoding: 'latin1', mode: 0o700 })
  await chown(path, uid, 0)
  const now = Date.now()
  const request = deliveryRequest({
    flags: DELIVERY_FLAGS.success,
    queueId,
    dataOffset,
    sizeBytes,
    nexthop: scenario.nexthop,
    encoding: '7bit',
    sender: scenario.sender ?? 'from@example.test',
    stats: { ...noStats, arrivalMs: now, activeMs: now },
    ...scenario.request,
  })
  return { request, recipients, path }
}
