/**
 * connection-cache - scache(8) alone: 20 clients that save a connection and find it again by its destination
 *
 * What smtp(8) asks it for a delivery over a cached connection: find_dest, save_dest, save_endp. The bench is the client and
 * costs as much for both, so that the CPU time of the service says more than the rate.
 */
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { Descriptor } from '@posthorn/native/descriptor'
import { ScacheClient } from '@posthorn/wire/scache-protocol'
import type { Instance, System } from '../instance.ts'
import { inPairs, type Bench, type BenchRow } from './bench-row.ts'
import { cpuMicroseconds } from './process-cost.ts'
import { figureLine } from './result-table.ts'

const CLIENTS = 20
const WARM_UP_ROUNDS = 200
const ROUNDS = 1000
const REQUESTS_A_ROUND = 3
const TTL_SECONDS = 2

interface CacheRun {
  readonly requestsPerSecond: number
  readonly cpuMicrosecondsPerRequest: number
}

/** One client: its connection goes in and comes out. @returns how often it came out */
async function goRound(client: ScacheClient, label: string, rounds: number): Promise<number> {
  let connection: Descriptor | undefined = Descriptor.fresh(openSync('/dev/null', 'r'))
  let foundCount = 0
  for (let round = 0; round < rounds; round += 1) {
    connection ??= Descriptor.fresh(openSync('/dev/null', 'r'))
    await client.saveDestination(TTL_SECONDS, label, 'properties', `${label} endpoint`)
    await client.saveEndpoint(TTL_SECONDS, `${label} endpoint`, 'properties', connection)
    connection = (await client.findDestination(label))?.descriptor
    if (connection !== undefined) foundCount += 1
  }
  connection?.close()
  return foundCount
}

async function measure(instance: Instance): Promise<CacheRun> {
  const path = join(instance.queueDirectory, 'private/scache')
  const clients = Array.from(
    { length: CLIENTS },
    () => new ScacheClient({ path, timeoutMs: 60_000, idleMs: 60_000, ttlMs: 600_000 }),
  )
  const all = async (rounds: number): Promise<number> => {
    const found = clients.map(async (client, at) => goRound(client, `destination ${at}`, rounds))
    return (await Promise.all(found)).reduce((sum, count) => sum + count, 0)
  }
  await all(WARM_UP_ROUNDS)
  const master = await instance.masterPid()
  const cpuBefore = await cpuMicroseconds(master)
  const begin = performance.now()
  const found = await all(ROUNDS)
  const seconds = (performance.now() - begin) / 1000
  const requests = CLIENTS * ROUNDS * REQUESTS_A_ROUND
  const cpu = (await cpuMicroseconds(master)) - cpuBefore
  for (const client of clients) client.close()
  if (found < (CLIENTS * ROUNDS * 9) / 10) {
    throw new Error(`${instance.commands}: only ${found} connections were found again`)
  }
  return { requestsPerSecond: requests / seconds, cpuMicrosecondsPerRequest: cpu / requests }
}

export const connectionCacheRow: BenchRow = {
  name: 'scache',
  title: 'scache(8) alone, 20 clients',
  pairSeconds: 20,
  run: async (bench: Bench) => {
    const runs = await inPairs(
      bench,
      async (system: System) => bench.site.withSystem(system, {}, measure),
      (run) =>
        `${run.requestsPerSecond.toFixed(0)} requests/s, ${run.cpuMicrosecondsPerRequest.toFixed(1)} µs each`,
    )
    const lines = [
      figureLine(runs, {
        load: 'scache(8), 20 clients: requests/s',
        pick: (run) => run.requestsPerSecond,
      }),
      figureLine(runs, {
        load: 'scache(8), 20 clients: CPU µs/request',
        pick: (run) => run.cpuMicrosecondsPerRequest,
        digits: 1,
      }),
    ]
    return { lines, runs }
  },
}
