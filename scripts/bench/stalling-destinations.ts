/**
 * stalling-destinations - mail for everybody else, while 300 destinations take connections and never say a word
 *
 * One message for each of them goes first, then 200 for a destination that answers. With the master.cf that each system
 * ships: the first ones hold as many deliveries as the system makes at once, each for smtp_helo_timeout, which is 10 s here
 * for both (300 s by default).
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '@posthorn/testing/wait-for'
import type { Instance, System } from '../instance.ts'
import { smtpSource } from '../load.ts'
import { inPairs, type Bench, type BenchRow } from './bench-row.ts'
import { drained } from './bench-site.ts'
import { loopbackAddresses, type LoopbackSink } from './loopback-sink.ts'
import { figureLine } from './result-table.ts'
import { shippedServices } from './shipped-services.ts'

const STALLING = 300
const HEALTHY = 200
const GREETING_LIMIT_SECONDS = 10
const LIMIT_MS = 120_000

interface StallingRun {
  /** From the first submission of a healthy message to the last delivery of one. */
  readonly seconds: number
  /** Deliveries that waited for a greeting when the healthy messages came. */
  readonly stalled: number
}

async function measure(
  bench: Bench,
  instance: Instance,
  sinks: { readonly healthy: LoopbackSink; readonly silent: LoopbackSink },
): Promise<StallingRun> {
  const { healthy, silent } = sinks
  const load = { port: instance.smtpPort, sessions: 20 }
  await smtpSource({ ...load, messages: bench.warmUp, to: 'user@fast.test' })
  await drained(instance)
  await smtpSource({
    ...load,
    messages: STALLING,
    to: 'user@silent.test',
    numbersRecipients: true,
  })
  const active = async (): Promise<boolean> => (await instance.queued('incoming')).length === 0
  await waitFor(active, 'the messages for silent destinations to be active', LIMIT_MS)
  const stalled = silent.counters.connections
  const begin = performance.now()
  await smtpSource({ ...load, messages: HEALTHY, to: 'user@healthy.test' })
  const last = await healthy.received(HEALTHY, LIMIT_MS)
  return { seconds: (last - begin) / 1000, stalled }
}

async function runOnce(bench: Bench, system: System): Promise<StallingRun> {
  const addresses = loopbackAddresses(STALLING)
  return bench.site.withSink({}, async (fast) =>
    bench.site.withSink({}, async (healthy) =>
      bench.site.withSink({ addresses, isSilent: true }, async (silent) => {
        const map = join(bench.site.directory, 'transport')
        const lines = [
          `fast.test smtp:[127.0.0.1]:${fast.port}\n`,
          `healthy.test smtp:[127.0.0.1]:${healthy.port}\n`,
          // smtp-source -N puts a number in front of each recipient, beginning with 1.
          ...addresses.map(
            (address, at) => `${at + 1}user@silent.test smtp:[${address}]:${silent.port}\n`,
          ),
        ]
        await writeFile(map, lines.join(''))
        const options = {
          main: {
            transport_maps: `texthash:${map}`,
            smtp_helo_timeout: `${GREETING_LIMIT_SECONDS}s`,
          },
          master: await shippedServices(system),
        }
        return bench.site.withSystem(system, options, async (instance) =>
          measure(bench, instance, { healthy, silent }),
        )
      }),
    ),
  )
}

export const stallingRow: BenchRow = {
  name: 'stalling',
  title: '200 messages behind 300 destinations that never answer, shipped master.cf',
  pairSeconds: 45,
  run: async (bench) => {
    const runs = await inPairs(
      bench,
      async (system) => runOnce(bench, system),
      (run) => `${run.seconds.toFixed(1)} s, behind ${run.stalled} deliveries that waited`,
    )
    const line = figureLine(runs, {
      load: '200 messages behind 300 destinations that never answer: until all are delivered',
      pick: (run) => run.seconds,
      digits: 1,
      unit: ' s',
    })
    return { lines: [line], runs }
  },
}
