/**
 * throughput - messages per second and CPU per message of the relay and of virtual mailboxes
 *
 * smtp-source(1) sends, smtp-sink(1) takes; the time ends when the queue is empty. A warm-up goes
 * ahead, for both.
 */
import { chown, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '@posthorn/testing/wait-for'
import type { Instance, System } from '../instance.ts'
import { SmtpSink, smtpSource, type SourceOptions } from '../load.ts'
import { inPairs, type Bench, type BenchRow, type RowResult } from './bench-row.ts'
import { drained } from './bench-site.ts'
import { cpuMicroseconds } from './process-cost.ts'
import { memory } from './process-memory.ts'
import { figureLine, megabytes, type Figure } from './result-table.ts'
import { median, type Runs } from './statistics.ts'

export interface Workload {
  readonly name: string
  readonly title: string
  readonly load: Omit<SourceOptions, 'port' | 'messages'>
  /** Share of --messages that this load sends. */
  readonly share: number
  readonly isMaildir?: boolean
  /** The ratio to Postfix that we want. */
  readonly throughputAtLeast: number
  readonly cpuAtMost?: number
}

export interface ThroughputRun {
  readonly messagesPerSecond: number
  readonly cpuMicrosecondsPerMessage: number
  readonly memoryBytes: number
  readonly processes: number
}

const VIRTUAL_UID = 5000

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'relay-1k',
    title: 'relay, 1 KB, one message per connection',
    share: 1,
    load: { sessions: 20 },
    throughputAtLeast: 2,
    cpuAtMost: 0.5,
  },
  {
    name: 'relay-1k-d',
    title: 'relay, 1 KB, many messages per connection',
    share: 1,
    load: { sessions: 20, keepsConnection: true },
    throughputAtLeast: 2,
  },
  {
    name: 'relay-50k',
    title: 'relay, 50 KB',
    share: 0.25,
    load: { sessions: 20, sizeBytes: 50_000 },
    throughputAtLeast: 1.8,
  },
  {
    name: 'maildir-1k',
    title: 'virtual maildir, 1 KB',
    share: 1,
    isMaildir: true,
    load: { sessions: 20, to: 'user@virtual.test' },
    throughputAtLeast: 1.8,
  },
]

async function measure(
  bench: Bench,
  instance: Instance,
  workload: Workload,
  messages: number,
): Promise<ThroughputRun> {
  const load = { ...workload.load, port: instance.smtpPort }
  await smtpSource({ ...load, messages: bench.warmUp })
  await drained(instance)
  const master = await instance.masterPid()
  const cpuBefore = await cpuMicroseconds(master)
  const begin = performance.now()
  await smtpSource({ ...load, messages })
  await drained(instance)
  const seconds = (performance.now() - begin) / 1000
  const cpu = (await cpuMicroseconds(master)) - cpuBefore
  const { bytes, processes } = await memory(master)
  return {
    messagesPerSecond: messages / seconds,
    cpuMicrosecondsPerMessage: cpu / messages,
    memoryBytes: bytes,
    processes,
  }
}

/** A message that was lost must not count as a quick one. */
async function checkArrivals(
  instance: Instance,
  sink: SmtpSink,
  workload: Workload,
  messages: number,
): Promise<void> {
  const arrived = async (): Promise<number> =>
    workload.isMaildir === true
      ? (await readdir(join(instance.directory, 'vhosts/user/new'))).length
      : sink.counters().messages
  // What the sink counts comes through a pipe, a little later.
  await waitFor(async () => (await arrived()) >= messages, 'every message to arrive').catch(
    () => undefined,
  )
  if ((await arrived()) !== messages) {
    throw new Error(`${instance.commands}: ${await arrived()} messages arrived, not ${messages}`)
  }
}

/** One run of one system, with its own destination and an empty queue. */
export async function runThroughput(
  bench: Bench,
  workload: Workload,
  system: System,
): Promise<ThroughputRun> {
  const sink = await SmtpSink.start()
  const directory = bench.site.newDirectory(system)
  const virtual = join(directory, 'vhosts')
  const main = {
    relayhost: `[127.0.0.1]:${sink.port}`,
    virtual_mailbox_domains: 'virtual.test',
    virtual_mailbox_maps: 'inline:{ user@virtual.test=user/ }',
    virtual_mailbox_base: virtual,
    virtual_uid_maps: `static:${VIRTUAL_UID}`,
    virtual_gid_maps: `static:${VIRTUAL_UID}`,
  }
  return bench.site.using(
    async () => sink.stop(),
    async () =>
      bench.site.withSystem(system, { directory, main }, async (instance) => {
        await mkdir(virtual)
        await chown(virtual, VIRTUAL_UID, VIRTUAL_UID)
        const messages = Math.round(bench.messages * workload.share)
        const run = await measure(bench, instance, workload, messages)
        await checkArrivals(instance, sink, workload, messages + bench.warmUp)
        return run
      }),
  )
}

function memoryText(runs: Runs<ThroughputRun>): string {
  const of = (system: System): string => {
    const bytes = median(runs[system].map((run) => run.memoryBytes))
    return `${megabytes(bytes)} (${median(runs[system].map((run) => run.processes)).toFixed(0)})`
  }
  return `${of('postfix')} / ${of('posthorn')}`
}

function linesOf(workload: Workload, runs: Runs<ThroughputRun>): RowResult['lines'] {
  const throughput: Figure<ThroughputRun> = {
    load: `${workload.title}: messages/s`,
    pick: (run) => run.messagesPerSecond,
    atLeast: workload.throughputAtLeast,
  }
  const cpu: Figure<ThroughputRun> = {
    load: `${workload.title}: CPU µs/message`,
    pick: (run) => run.cpuMicrosecondsPerMessage,
    ...(workload.cpuAtMost === undefined ? {} : { atMost: workload.cpuAtMost }),
  }
  return [{ ...figureLine(runs, throughput), memory: memoryText(runs) }, figureLine(runs, cpu)]
}

export const throughputRows: readonly BenchRow[] = WORKLOADS.map((workload) => ({
  name: workload.name,
  title: workload.title,
  pairSeconds: 25,
  run: async (bench) => {
    const runs = await inPairs(
      bench,
      async (system) => runThroughput(bench, workload, system),
      (run) =>
        `${run.messagesPerSecond.toFixed(0)} messages/s, ${run.cpuMicrosecondsPerMessage.toFixed(0)} µs each`,
    )
    if (workload.name === 'relay-1k') {
      bench.postfixPeak = median(runs.postfix.map((run) => run.messagesPerSecond))
    }
    return { lines: linesOf(workload, runs), runs }
  },
}))
