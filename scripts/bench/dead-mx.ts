/**
 * dead-mx - 1,000 messages to a domain with two MX hosts, of which the preferred one is dead
 *
 * It refuses connections at once, or does not answer at all, and then costs smtp_connect_timeout, which is 3 s here for
 * both systems. With connection caching on demand a delivery finds a connection to the live host by the name of the
 * destination, and does not try the dead one again. Each system asks a name server of ours: in a mount namespace in
 * which /etc/resolv.conf names it.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FakeDns, type FakeRecords } from '@posthorn/testing/fake-dns'
import { FullListener } from '@posthorn/testing/full-listener'
import type { System } from '../instance.ts'
import { inPairs, type Bench, type BenchRow, type RowResult } from './bench-row.ts'
import type { LoopbackSink } from './loopback-sink.ts'
import { figureLine, type ResultLine } from './result-table.ts'
import { runToSink, showRun, type SinkRun } from './sink-run.ts'
import { median, type Runs } from './statistics.ts'

const DEAD = '127.2.0.1'
const LIVE = '127.2.0.2'
/** The warm-up meets a dead host, too, one that refuses. */
const WARM_DEAD = '127.2.1.1'
const WARM_LIVE = '127.2.1.2'
const NAME_SERVER = '127.2.0.53'
const CONNECT_TIMEOUT_SECONDS = 3
/** Each message of the slowest run waits for the dead host, twenty at a time. */
const SLOW_PAIRS = 3

interface Variant {
  readonly death: 'silent' | 'refusing'
  readonly isCaching: boolean
  /** Share of --messages. */
  readonly share: number
}

interface DeadMxRun extends SinkRun {
  /** As the log has them. */
  readonly deadAttempts: number
}

/** A domain whose first MX host is dead, its second one alive. */
function zoneOf(domain: string, dead: string, live: string): Record<string, FakeRecords> {
  const MX = [
    [10, `dead.${domain}`],
    [20, `live.${domain}`],
  ] as const
  return { [domain]: { MX }, [`dead.${domain}`]: { A: [dead] }, [`live.${domain}`]: { A: [live] } }
}

async function runOnce(bench: Bench, variant: Variant, system: System): Promise<DeadMxRun> {
  return bench.site.withSink({ addresses: [WARM_LIVE] }, async (warmSink) =>
    bench.site.withSink({ addresses: [LIVE] }, async (sink) => {
      const zones = {
        ...zoneOf('two-mx.test', DEAD, LIVE),
        ...zoneOf('warm-mx.test', WARM_DEAD, WARM_LIVE),
      }
      const dns = await FakeDns.start(zones, { address: NAME_SERVER, port: 53 })
      const silent = variant.death === 'silent' ? new FullListener(DEAD, sink.port) : undefined
      const stop = async (): Promise<void> => {
        silent?.close()
        await dns.close()
      }
      return bench.site.using(stop, async () => measure(bench, variant, system, { sink, warmSink }))
    }),
  )
}

async function measure(
  bench: Bench,
  variant: Variant,
  system: System,
  { sink, warmSink }: { sink: LoopbackSink; warmSink: LoopbackSink },
): Promise<DeadMxRun> {
  const resolvConf = join(bench.site.directory, 'resolv.conf')
  await writeFile(resolvConf, `nameserver ${NAME_SERVER}\n`)
  const main = {
    transport_maps: `inline:{warm.test=smtp:warm-mx.test:${warmSink.port}}`,
    relayhost: `two-mx.test:${sink.port}`,
    smtp_connect_timeout: `${CONNECT_TIMEOUT_SECONDS}s`,
    smtp_connection_cache_on_demand: variant.isCaching ? 'yes' : 'no',
  }
  return bench.site.withSystem(system, { main, resolvConf }, async (instance) => {
    const messages = Math.round(bench.messages * variant.share)
    const load = { messages, to: 'user@two-mx.test', warmUpTo: 'user@warm.test' }
    const run = await runToSink(bench, instance, sink, load)
    const attempts = (await instance.log()).matchAll(/: connect to dead\.two-mx\.test\[/g)
    return { ...run, deadAttempts: [...attempts].length }
  })
}

/** `12 + 40`: connections of a run to the live host, and attempts at the dead one. */
function connectionsLine(load: string, runs: Runs<DeadMxRun>): ResultLine {
  const of = (system: System): string => {
    const live = median(runs[system].map((run) => run.connections))
    const dead = median(runs[system].map((run) => run.deadAttempts))
    return `${live.toFixed(0)} + ${dead.toFixed(0)}`
  }
  return { load, postfix: of('postfix'), posthorn: of('posthorn') }
}

function linesOf(title: string, runs: Runs<DeadMxRun>): ResultLine[] {
  return [
    figureLine(runs, { load: `${title}: messages/s`, pick: (run) => run.messagesPerSecond }),
    figureLine(runs, {
      load: `${title}: CPU µs/message`,
      pick: (run) => run.cpuMicrosecondsPerMessage,
    }),
    connectionsLine(`${title}: connections, and attempts at the dead host`, runs),
  ]
}

function rowOf(death: Variant['death'], title: string, shareWithout: number): BenchRow {
  const run = async (bench: Bench): Promise<RowResult> => {
    const runs: Record<string, Runs<DeadMxRun>> = {}
    const lines: ResultLine[] = []
    for (const isCaching of [true, false]) {
      const name = isCaching ? 'with the cache' : 'without'
      bench.progress(`  ${name}`)
      const variant: Variant = { death, isCaching, share: isCaching ? 0.25 : shareWithout }
      const pairs = shareWithout < 0.25 ? Math.min(bench.pairs, SLOW_PAIRS) : bench.pairs
      const given = await inPairs(
        { ...bench, pairs },
        async (system) => runOnce(bench, variant, system),
        (one) => `${showRun(one)}; ${one.deadAttempts} attempts at the dead host`,
      )
      runs[name] = given
      lines.push(...linesOf(`${title}, ${name}`, given))
    }
    return { lines, runs }
  }
  return { name: `dead-mx-${death}`, title, pairSeconds: death === 'silent' ? 110 : 35, run }
}

export const deadMxRows: readonly BenchRow[] = [
  rowOf('refusing', 'first MX host refuses', 0.25),
  rowOf('silent', 'first MX host does not answer (3 s)', 0.05),
]
