/**
 * sink-run - messages from smtp-source to a sink of this process: how fast, for how much CPU, over how many connections
 *
 * A warm-up goes ahead, to a sink of its own, so that it leaves no connection behind that the run could use.
 */
import type { Instance } from '../instance.ts'
import { smtpSource } from '../load.ts'
import type { Bench } from './bench-row.ts'
import { drained } from './bench-site.ts'
import type { LoopbackSink, SinkCounters } from './loopback-sink.ts'
import { cpuMicroseconds } from './process-cost.ts'

const SESSIONS = 20
const LIMIT_MS = 240_000

export interface SinkRun extends SinkCounters {
  /** From the first submission to the last delivery. */
  readonly messagesPerSecond: number
  /** Of all processes of the mail system. */
  readonly cpuMicrosecondsPerMessage: number
  /** Share of one processor that the destination took: it must not be what is measured. */
  readonly benchCpuShare: number
}

export interface SinkLoad {
  readonly messages: number
  /** Goes to the sink that is given. */
  readonly to: string
  /** Goes to another one. */
  readonly warmUpTo: string
}

export async function runToSink(
  bench: Bench,
  instance: Instance,
  sink: LoopbackSink,
  { messages, to, warmUpTo }: SinkLoad,
): Promise<SinkRun> {
  const load = { port: instance.smtpPort, sessions: SESSIONS }
  await smtpSource({ ...load, messages: bench.warmUp, to: warmUpTo })
  await drained(instance)
  const master = await instance.masterPid()
  const cpuBefore = await cpuMicroseconds(master)
  const own = process.cpuUsage()
  const begin = performance.now()
  await smtpSource({ ...load, messages, to })
  const seconds = ((await sink.received(messages, LIMIT_MS)) - begin) / 1000
  const used = process.cpuUsage(own)
  await drained(instance)
  return {
    ...sink.counters,
    messagesPerSecond: messages / seconds,
    cpuMicrosecondsPerMessage: ((await cpuMicroseconds(master)) - cpuBefore) / messages,
    benchCpuShare: (used.user + used.system) / 1e6 / seconds,
  }
}

export function showRun(run: SinkRun): string {
  const { messagesPerSecond, cpuMicrosecondsPerMessage, connections, benchCpuShare } = run
  return (
    `${messagesPerSecond.toFixed(0)} messages/s, ${cpuMicrosecondsPerMessage.toFixed(0)} µs each, ` +
    `${connections} connections; the destination took ${(benchCpuShare * 100).toFixed(0)} % of a processor`
  )
}
