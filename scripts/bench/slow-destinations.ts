/**
 * slow-destinations - 2,000 destinations that take a second to answer, one message for each
 *
 * With the master.cf that each system ships, and none of main.cf's limits changed: this is about how many
 * clients wait at once. The time runs from the first submission to the last delivery, after a warm-up with a
 * destination that is not slow.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Instance, System } from '../instance.ts'
import { smtpSource } from '../load.ts'
import { inPairs, type Bench, type BenchRow } from './bench-row.ts'
import { drained } from './bench-site.ts'
import { loopbackAddresses, type LoopbackSink } from './loopback-sink.ts'
import { figureLine } from './result-table.ts'
import { shippedServices } from './shipped-services.ts'

const DESTINATIONS = 2000
const ANSWER_MS = 1000
const LIMIT_MS = 120_000

interface SlowRun {
  readonly deliveriesPerSecond: number
  readonly seconds: number
  readonly benchCpuShare: number
}

async function measure(bench: Bench, instance: Instance, sink: LoopbackSink): Promise<SlowRun> {
  const load = { port: instance.smtpPort, sessions: 20 }
  await smtpSource({ ...load, messages: bench.warmUp, to: 'user@fast.test' })
  await drained(instance)
  const cpu = process.cpuUsage()
  const begin = performance.now()
  await smtpSource({
    ...load,
    messages: DESTINATIONS,
    to: 'user@slow.test',
    numbersRecipients: true,
  })
  const last = await sink.received(DESTINATIONS, LIMIT_MS)
  const used = process.cpuUsage(cpu)
  await drained(instance)
  const seconds = (last - begin) / 1000
  return {
    deliveriesPerSecond: DESTINATIONS / seconds,
    seconds,
    benchCpuShare: (used.user + used.system) / 1e6 / seconds,
  }
}

async function runOnce(bench: Bench, system: System): Promise<SlowRun> {
  const addresses = loopbackAddresses(DESTINATIONS)
  const slow = { addresses, greetingDelayMs: ANSWER_MS }
  return bench.site.withSink({}, async (fastSink) =>
    bench.site.withSink(slow, async (sink) => {
      const map = join(bench.site.directory, 'transport')
      const lines = [
        `fast.test smtp:[127.0.0.1]:${fastSink.port}\n`,
        // smtp-source -N puts a number in front of each recipient, beginning with 1.
        ...addresses.map(
          (address, at) => `${at + 1}user@slow.test smtp:[${address}]:${sink.port}\n`,
        ),
      ]
      await writeFile(map, lines.join(''))
      const options = {
        main: { transport_maps: `texthash:${map}` },
        master: await shippedServices(system),
      }
      return bench.site.withSystem(system, options, async (instance) =>
        measure(bench, instance, sink),
      )
    }),
  )
}

export const slowDestinationsRow: BenchRow = {
  name: 'slow',
  title: '2,000 destinations that take 1 s to answer, shipped master.cf',
  pairSeconds: 40,
  run: async (bench) => {
    const runs = await inPairs(
      bench,
      async (system) => runOnce(bench, system),
      (run) =>
        `${run.deliveriesPerSecond.toFixed(0)} deliveries/s, ${run.seconds.toFixed(1)} s; the destinations ` +
        `took ${(run.benchCpuShare * 100).toFixed(0)} % of a processor`,
    )
    const line = figureLine(runs, {
      load: '2,000 destinations that take 1 s to answer: deliveries/s',
      pick: (run) => run.deliveriesPerSecond,
      atLeast: 5,
    })
    return { lines: [line], runs }
  },
}
