/**
 * smtp-scenario - one delivery, or several in a row, by smtp(8) or lmtp(8), as the tables say it and as it is run
 *
 * Every scenario has addresses and names of its own, so that all of them can run at once. In every string of it stand for
 *
 *     $1 ... $9   127.A.B.1 ... 127.A.B.9, for servers on port 25 (24 for LMTP)
 *     $d          dN.test, for the name server
 *     $dir        a directory for sockets; root.pem, intermediate.pem and client.pem (key and chain) are there
 *
 * Scenarios with the same settings share a service of master.cf: each one costs the start of a process on either side,
 * which is most of what a scenario costs.
 */
import type { FakeName } from '@posthorn/testing/fake-dns'
import type { PeerOptions } from '@posthorn/testing/scripted-peer'
import type { DeliveryRequest, Recipient } from '@posthorn/wire/delivery-request'

export interface Scenario {
  /** By address; `path` for a socket below $dir. */
  servers?: Record<string, PeerOptions>
  names?: Record<string, FakeName>
  /** main.cf parameters; keys of tables may be $1 and $d. */
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
  /** How long the message has been in the queue before it became active; default 0. */
  ageMs?: number
  /** One delivery at a time, so that ours, too, keeps idle connections in scache(8) only; the service is not shared. */
  isSingle?: boolean
  /** Lines of the log without queue id, address or name belong to the scenario: it has a service of its own. */
  isAlone?: boolean
  /** So many deliveries, one after the other; default 1. */
  times?: number
  /**
   * What may differ in the log, by chance and not always, is made the same here, or left out; with the reason beside it. What
   * always differs stands in smtp-differences.ts.
   */
  allow?: (line: string) => string | undefined
  /** The same for what a session was sent. */
  allowSent?: (octets: string) => string
}

export interface Placed {
  readonly name: string
  readonly scenario: Scenario
  readonly service: string
  readonly queueIds: readonly string[]
  /** Lines of the log, and texts, that are about this scenario. */
  readonly own: RegExp
}

/** Which service each scenario has is known when all are. */
export function placeAll(scenarios: Record<string, Scenario>, directory: string): Placed[] {
  const services = new Map<string, string>()
  return Object.entries(scenarios).map(([name, given], at) => {
    const number = at + 1
    const address = `127.${number >> 8}.${number & 0xff}`
    const scenario = mapStrings(given, (text) =>
      text
        .replaceAll('$dir', directory)
        .replaceAll('$d', `d${number}.test`)
        .replace(/\$([1-9])/g, `${address}.$1`),
    )
    const prefix = `ABC${number.toString(16).toUpperCase().padStart(3, '0')}`
    const times = Array.from({ length: given.times ?? 1 }, (_, at) => at)
    const { settings, program, args, isSingle, isAlone } = scenario
    const isOwn = isSingle === true || isAlone === true
    const key = JSON.stringify([settings, program, args, isOwn && number])
    const service = services.get(key) ?? `s${services.size + 1}`
    services.set(key, service)
    return {
      name,
      scenario,
      service,
      queueIds: times.map((at) => prefix + at.toString(16).toUpperCase()),
      own: new RegExp(
        `${prefix}[0-9A-F]\\b|\\b${address.replaceAll('.', '\\.')}\\.\\d\\b|\\bd${number}\\.test\\b`,
      ),
    }
  })
}

/** A copy with every string in it, keys too, changed. */
function mapStrings<T>(value: T, change: (text: string) => string): T {
  const walk = (part: unknown): unknown => {
    if (typeof part === 'string') return change(part)
    if (Array.isArray(part)) return part.map(walk)
    if (part === null || typeof part !== 'object' || Buffer.isBuffer(part)) return part
    return Object.fromEntries(Object.entries(part).map(([key, one]) => [change(key), walk(one)]))
  }
  return walk(value) as T
}

export function masterLine({ scenario, service }: Placed): string {
  const { program = 'smtp', settings = {}, args = '', isSingle = false } = scenario
  const overrides = Object.entries({ syslog_name: service, ...settings }).map(
    ([name, value]) => ` -o {${name}=${value}}`,
  )
  return `${service} unix - - n - ${isSingle ? 1 : '-'} ${program}${overrides.join('')} ${args}`
}
