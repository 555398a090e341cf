/**
 * smtp-delivery - the same delivery requests to the smtp(8) or lmtp(8) of both systems, against the same servers
 *
 * The test is the queue manager: it writes the queue file, speaks to the daemon's socket, and notes what the servers
 * were sent, what the log says, what was recorded for bounces, and what the reply is. All scenarios of a call run in one
 * system of each kind, many at once: a table more costs its conversations, a call more two systems. smtp-scenario.ts says
 * what a scenario may hold.
 *
 * Imports private-network.ts: the whole test file runs in a network of its own.
 */
import './private-network.ts'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { FakeDns, type FakeDnsOptions, type FakeName } from '@posthorn/testing/fake-dns'
import { ScriptedPeer } from '@posthorn/testing/scripted-peer'
import { intermediatePem, issueCertificate, rootPem } from '@posthorn/testing/test-certificates'
import type { DeliveryReply } from '@posthorn/wire/delivery-request'
import { execa } from 'execa'
import type { Test } from 'tap'
import type { Instance, System } from '../../scripts/instance.ts'
import { comparable, startSystem, SYSTEMS } from './both-systems.ts'
import { deliver } from './smtp-request.ts'
import { masterLine, placeAll, type Placed, type Scenario } from './smtp-scenario.ts'

export type { Scenario } from './smtp-scenario.ts'

export interface Seen {
  /** By server, what each session was sent. */
  servers: Record<string, string[]>
  log: string[]
  replies: (DeliveryReply | 'none' | 'too late')[]
  /** Recipients that are done in the queue file. */
  done: string[]
  /** Files of the bounce, defer and trace services. */
  records: string
  /** Mail to the postmaster about this scenario's servers. */
  notices: string[]
}

/** What a system did, and what services that several scenarios share said of none of them. */
interface Outcome {
  scenarios: Map<string, Seen>
  rest: Map<string, string[]>
}

/** A difference on purpose: where it shows, and what makes both sides the same there. */
export interface Difference {
  why: string
  in: { [Aspect in keyof Seen]?: (seen: Seen[Aspect]) => unknown }
}

const ASPECTS: Record<keyof Seen, string> = {
  servers: 'the servers were sent the same',
  log: 'the log says the same',
  replies: 'the queue manager is told the same',
  done: 'the same recipients are done',
  records: 'the same is recorded',
  notices: 'the postmaster is told the same',
}

/** Most scenarios wait for others; processors set the pace. More at once would only start more processes at once. */
const AT_ONCE = 40

/**
 * Every scenario of every table on both systems, each under `TABLE: SCENARIO`; `differences` may be of more tables.
 * SCENARIO=text in the environment: only those in whose name it occurs.
 */
export async function compareTables(
  t: Test,
  tables: Record<string, Record<string, Scenario>>,
  differences: Record<string, Difference> = {},
  main: Record<string, string> = {},
): Promise<void> {
  const only = process.env['SCENARIO'] ?? ''
  const scenarios = Object.entries(tables).flatMap(([table, scenarios]) =>
    Object.entries(scenarios)
      .map(([name, scenario]) => [`${table}: ${name}`, scenario] as const)
      .filter(([name]) => name.includes(only)),
  )
  const own = Object.entries(differences).filter(
    ([name]) => name.includes(only) && Object.hasOwn(tables, name.split(': ', 1)[0] ?? ''),
  )
  await compareDeliveries(t, Object.fromEntries(scenarios), {}, Object.fromEntries(own), main)
}

/**
 * Every scenario on both systems; one assertion for each kind of thing that can differ. A listed difference that does not
 * occur, or is one of no scenario, fails.
 */
export async function compareDeliveries(
  t: Test,
  scenarios: Record<string, Scenario>,
  dnsOptions: FakeDnsOptions = {},
  differences: Record<string, Difference> = {},
  main: Record<string, string> = {},
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'parity-lmtp-'))
  t.teardown(async () => rm(directory, { recursive: true, force: true }))
  await chmod(directory, 0o755)
  await writeCertificates(directory)
  const placed = placeAll(scenarios, directory)
  const names = Object.assign({}, ...placed.map(({ scenario }) => scenario.names ?? {})) as Record<
    string,
    FakeName
  >
  const outcomes: Partial<Record<System, Outcome>> = {}
  for (const system of SYSTEMS) {
    const dns = await FakeDns.start(names, { ...dnsOptions, port: 53 })
    try {
      outcomes[system] = await runAll(t, system, placed, main)
    } finally {
      await dns.close()
    }
  }
  const { postfix, posthorn } = outcomes
  for (const { name } of placed) {
    compare(t, name, posthorn?.scenarios.get(name), postfix?.scenarios.get(name), differences[name])
  }
  for (const [service, theirs] of postfix?.rest ?? []) {
    const about = placed.filter((one) => one.service === service).map(({ name }) => name)
    const said = `${about.slice(0, 3).join('; ')}; ...: a service says the same`
    t.same(posthorn?.rest.get(service), theirs, said)
  }
  const unknown = Object.keys(differences).filter((name) => scenarios[name] === undefined)
  t.same(unknown, [], 'every listed difference is one of a scenario')
}

function compare(
  t: Test,
  name: string,
  ours: Seen | undefined,
  theirs: Seen | undefined,
  difference: Difference | undefined,
): void {
  const made = difference?.in as Partial<Record<string, (seen: unknown) => unknown>> | undefined
  for (const [aspect, same] of Object.entries(ASPECTS) as [keyof Seen, string][]) {
    const make = made?.[aspect]
    if (make === undefined || ours === undefined || theirs === undefined) {
      t.same(ours?.[aspect], theirs?.[aspect], `${name}: ${same}`)
      continue
    }
    t.notSame(ours[aspect], theirs[aspect], `${name}: ${aspect} differ: ${difference?.why ?? ''}`)
    t.same(make(ours[aspect]), make(theirs[aspect]), `${name}: but for that, ${same}`)
  }
}

async function writeCertificates(directory: string): Promise<void> {
  const client = issueCertificate({ names: ['client.test'], usage: 'client' })
  await writeFile(join(directory, 'root.pem'), rootPem())
  await writeFile(join(directory, 'intermediate.pem'), intermediatePem())
  await writeFile(join(directory, 'client.pem'), client.key + client.cert, { mode: 0o600 })
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

async function runAll(
  t: Test,
  system: System,
  placed: readonly Placed[],
  main: Record<string, string>,
): Promise<Outcome> {
  const instance = await startSystem(t, system, {
    main: {
      inet_interfaces: '127.0.0.1',
      inet_protocols: 'all',
      myhostname: 'client.test',
      max_idle: '2s',
      queue_service_name: 'nobody',
      smtp_randomize_addresses: 'no',
      smtp_skip_quit_response: 'no',
      ...main,
    },
    master: [
      // the test is the queue manager: the real one is never woken up, nor told of new mail
      'qmgr unix n - n 0 1 qmgr',
      'tlsmgr unix - - n 1000? 1 tlsmgr',
      'tlsproxy unix - - n - 0 tlsproxy -o smtp_tls_security_level=may',
      ...new Set(placed.map(masterLine)),
    ],
  })
  const { stdout } = await execa('id', ['-u', 'postfix'])
  const scenarios = new Map<string, Seen>()
  // those of one service together: its processes end when they are idle for long
  const services = Map.groupBy(placed, ({ service }) => service)
  const waiting = [...services.values()].flat().sort(longestFirst)
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        scenarios.set(next.name, await runOne(instance, Number(stdout), next))
      }
    }),
  )
  const notices = await readNotices(instance)
  await instance.stop()
  const log = (await instance.log()).split('\n')
  const rest = new Map<string, string[]>()
  for (const [service, sharing] of services) {
    const lines = log.filter((line) => line.includes(` ${service}/`))
    for (const { name, own, scenario } of sharing) {
      const seen = scenarios.get(name)
      if (seen === undefined) continue
      seen.notices = notices.filter((text) => own.test(text))
      seen.log = (sharing.length === 1 ? lines : lines.filter((line) => own.test(line)))
        .map(comparableLine(service))
        .map((line) => (scenario.allow ?? String)(line))
        .filter((line) => line !== undefined)
    }
    if (sharing.length === 1) continue
    const others = lines.filter((line) => sharing.every(({ own }) => !own.test(line)))
    const said = others.map(comparableLine(service)).map(allowedByAny(sharing))
    rest.set(service, [...new Set(said.filter((line) => line !== undefined))].sort())
  }
  return { scenarios, rest }
}

/** A line that is about none of them: what one of them allows to differ is allowed. */
function allowedByAny(sharing: readonly Placed[]): (line: string) => string | undefined {
  const allows = new Set(sharing.map(({ scenario }) => scenario.allow ?? String))
  return (line) => {
    let rest: string | undefined = line
    for (const allow of allows) if (rest !== undefined) rest = allow(rest)
    return rest
  }
}

function longestFirst(one: Placed, other: Placed): number {
  return other.queueIds.length - one.queueIds.length
}

/** Where a long line is cut depends on the delays in it. */
function comparableLine(service: string): (line: string) => string {
  return (line) =>
    comparable(line).replace(/^\S+ /, '').replace(`${service}/`, 'SERVICE/').slice(0, 1500)
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
      const delivered = await deliver(instance, uid, placed.service, queueId, message)
      seen.replies.push(delivered.reply)
      seen.done.push(...delivered.done)
      seen.records += delivered.records
    }
    // what the client said last may not have been read yet: it is there, and a few turns of the loop read it
    for (let turn = 0; turn < 3; turn++) await nextTurn()
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
