/**
 * latency - how long a message takes, from connect to 250 and from connect to the destination
 *
 * Messages are offered at a fixed rate, whether or not earlier ones were answered (an open loop: a slow
 * system cannot slow the clock that judges it). Client and destination are one process, so both ends read
 * the same clock; the number of a message is its recipient. The rate is half of what Postfix can do in this run.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { System } from '../instance.ts'
import { smtpSource } from '../load.ts'
import { inPairs, type Bench, type BenchRow } from './bench-row.ts'
import { drained } from './bench-site.ts'
import type { LoopbackSink } from './loopback-sink.ts'
import { figureLine, type ResultLine } from './result-table.ts'
import { contentOf, SmtpDialogue } from './smtp-dialogue.ts'
import { percentile, type Runs } from './statistics.ts'
import { runThroughput, WORKLOADS } from './throughput.ts'

interface Percentiles {
  readonly p50Ms: number
  readonly p99Ms: number
}

interface LatencyRun {
  readonly ratePerSecond: number
  readonly messages: number
  readonly accepted: Percentiles
  readonly delivered: Percentiles
}

const SECONDS = 10
const DELIVERY_LIMIT_MS = 60_000

function summarise(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b)
  return { p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99) }
}

/** One message over one connection; resolves when 250 for its content was read. */
async function sendOne(port: number, number: number, content: string): Promise<void> {
  const dialogue = await SmtpDialogue.open({ port })
  await dialogue.say('HELO bench.example.test', '250')
  // As smtp-source does it: a reply for each command, nothing pipelined.
  await dialogue.say('MAIL FROM:<sender@example.test>', '250')
  await dialogue.say(`RCPT TO:<n${number}@remote.test>`, '250')
  await dialogue.say('DATA', '354')
  await dialogue.say(`${content}\r\n.`, '250')
  dialogue.say('QUIT', '221').then(
    () => {
      dialogue.close()
    },
    () => undefined,
  )
}

/** Offers the messages and waits until each has arrived at the sink. */
async function measure(
  port: number,
  sink: LoopbackSink,
  arrivals: ReadonlyMap<string, number>,
  { ratePerSecond, warmUp }: { ratePerSecond: number; warmUp: number },
): Promise<LatencyRun> {
  const messages = ratePerSecond * SECONDS
  const content = contentOf('latency', 1024)
  const started: number[] = []
  const accepted: number[] = []
  const sent: Promise<void>[] = []
  const begin = performance.now()
  for (let number = 0; number < messages; number += 1) {
    const wait = begin + (number * 1000) / ratePerSecond - performance.now()
    if (wait > 1) await sleep(wait)
    const start = performance.now()
    started.push(start)
    sent.push(
      sendOne(port, number, content).then(() => {
        accepted.push(performance.now() - start)
      }),
    )
  }
  await Promise.all(sent)
  await sink.received(warmUp + messages, DELIVERY_LIMIT_MS)
  const delivered = started.map((at, number) => {
    const arrival = arrivals.get(`n${number}@remote.test`)
    if (arrival === undefined) throw new Error(`Message ${number} did not arrive`)
    return arrival - at
  })
  return {
    ratePerSecond,
    messages,
    accepted: summarise(accepted),
    delivered: summarise(delivered),
  }
}

async function runOnce(bench: Bench, system: System, ratePerSecond: number): Promise<LatencyRun> {
  const arrivals = new Map<string, number>()
  const onMessage = ([recipient = '']: readonly string[], atMs: number): void => {
    arrivals.set(recipient, atMs)
  }
  return bench.site.withSink({ onMessage }, async (sink) => {
    const main = { relayhost: `[127.0.0.1]:${sink.port}` }
    return bench.site.withSystem(system, { main }, async (instance) => {
      const port = instance.smtpPort
      await smtpSource({ port, sessions: 20, messages: bench.warmUp, to: 'warm@remote.test' })
      await drained(instance)
      return measure(port, sink, arrivals, { ratePerSecond, warmUp: bench.warmUp })
    })
  })
}

/** Only the first line has a target; the others say what it is part of. */
function linesOf(runs: Runs<LatencyRun>, rate: number): ResultLine[] {
  const at = `at ${rate} messages/s, ms`
  const figure = { digits: 1 }
  return [
    figureLine(runs, {
      ...figure,
      load: `connect to 250, p99, ${at}`,
      pick: (run) => run.accepted.p99Ms,
      atMost: 1,
    }),
    figureLine(runs, {
      ...figure,
      load: `connect to 250, p50, ${at}`,
      pick: (run) => run.accepted.p50Ms,
    }),
    figureLine(runs, {
      ...figure,
      load: `connect to delivered, p99, ${at}`,
      pick: (run) => run.delivered.p99Ms,
    }),
    figureLine(runs, {
      ...figure,
      load: `connect to delivered, p50, ${at}`,
      pick: (run) => run.delivered.p50Ms,
    }),
  ]
}

export const latencyRow: BenchRow = {
  name: 'latency',
  title: "connect to 250, at half of Postfix's peak rate",
  pairSeconds: 35,
  run: async (bench) => {
    const [relay] = WORKLOADS
    if (bench.postfixPeak === undefined && relay !== undefined) {
      bench.progress(`  one run of ${relay.name} by Postfix first, for its peak rate`)
      const run = await runThroughput(bench, relay, 'postfix')
      bench.postfixPeak = run.messagesPerSecond
    }
    const rate = Math.max(1, Math.round((bench.postfixPeak ?? 0) / 2))
    const runs = await inPairs(
      bench,
      async (system) => runOnce(bench, system, rate),
      (run) =>
        `250 after ${run.accepted.p50Ms.toFixed(1)} ms (p50), ${run.accepted.p99Ms.toFixed(1)} ms (p99)`,
    )
    return { lines: linesOf(runs, rate), runs }
  },
}
