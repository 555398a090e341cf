/**
 * bench - Posthorn beside the real Postfix: same machine, same run, same load, same promise
 *
 * Usage: make bench, or scripts/bench.ts --help
 * Both systems get the same configuration, their own queue directories on the same file system, and fsync.
 * Runs alternate (A B A B ...), and the table shows medians with the ratio to Postfix in the same pair.
 * Needs root and Postfix 3.7 (for itself, smtp-source and smtp-sink). Exits 0 whatever the figures.
 */
import { chmod, chown, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import { waitFor } from '@posthorn/testing/wait-for'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { cpuMicroseconds, memory } from './bench/process-cost.ts'
import { measureLatency, TimedSink, type LatencyResult } from './bench/latency.ts'
import { Instance, ROOT, type System } from './instance.ts'
import { SmtpSink, smtpSource, type SourceOptions } from './load.ts'

const values = yargs(hideBin(process.argv))
  .usage('$0 [options]: Posthorn beside the real Postfix, in one run')
  .option('pairs', { type: 'number', default: 3, describe: 'how often each system runs each load' })
  .option('messages', { type: 'number', default: 4000, describe: 'messages of a run' })
  .option('only', { type: 'string', describe: 'one load, by name' })
  .option('json', {
    type: 'string',
    default: join(ROOT, 'out/bench.json'),
    describe: 'all figures',
  })
  .strict()
  .parseSync()
const PAIRS = values.pairs
const MESSAGES = values.messages
const WARM_UP = 200
const DRAIN_LIMIT_MS = 180_000
const VIRTUAL_UID = 5000

interface Workload {
  readonly name: string
  readonly title: string
  readonly load: Omit<SourceOptions, 'port' | 'messages'>
  /** Share of --messages that this load sends. */
  readonly share: number
  readonly maildir?: boolean
}

const WORKLOADS: readonly Workload[] = [
  {
    name: 'relay-1k',
    title: 'relay, 1 KB, one message per connection',
    share: 1,
    load: { sessions: 20 },
  },
  {
    name: 'relay-1k-d',
    title: 'relay, 1 KB, many messages per connection',
    share: 1,
    load: { sessions: 20, keepsConnection: true },
  },
  {
    name: 'relay-50k',
    title: 'relay, 50 KB',
    share: 0.25,
    load: { sessions: 20, sizeBytes: 50_000 },
  },
  {
    name: 'maildir-1k',
    title: 'virtual maildir, 1 KB',
    share: 1,
    maildir: true,
    load: { sessions: 20, to: 'user@virtual.test' },
  },
]

interface Run {
  readonly messagesPerSecond: number
  readonly cpuMicrosecondsPerMessage: number
  readonly memoryBytes: number
  readonly processes: number
}

const SYSTEMS: readonly System[] = ['postfix', 'posthorn']

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2
}

async function makeInstance(system: System, sinkPort: number, base: string): Promise<Instance> {
  const directory = join(base, system)
  const instance = await Instance.create({
    directory,
    commands: system,
    daemons: system,
    owner: 'postfix',
    main: {
      relayhost: `[127.0.0.1]:${sinkPort}`,
      virtual_mailbox_domains: 'virtual.test',
      virtual_mailbox_maps: 'inline:{ user@virtual.test=user/ }',
      virtual_mailbox_base: join(directory, 'vhosts'),
      virtual_uid_maps: `static:${VIRTUAL_UID}`,
      virtual_gid_maps: `static:${VIRTUAL_UID}`,
    },
  })
  await mkdir(join(directory, 'vhosts'))
  await chown(join(directory, 'vhosts'), VIRTUAL_UID, VIRTUAL_UID)
  return instance
}

async function drained(instance: Instance): Promise<void> {
  await waitFor(
    async () => (await instance.queued()).length === 0,
    `the queue of ${instance.commands} to drain`,
    DRAIN_LIMIT_MS,
  )
}

async function runOnce(workload: Workload, system: System, base: string): Promise<Run> {
  const sink = await SmtpSink.start()
  const instance = await makeInstance(system, sink.port, base)
  await instance.start()
  try {
    const load = { ...workload.load, port: instance.smtpPort }
    await smtpSource({ ...load, messages: WARM_UP })
    await drained(instance)
    const messages = Math.round(MESSAGES * workload.share)
    const master = await instance.masterPid()
    const cpuBefore = await cpuMicroseconds(master)
    const begin = performance.now()
    await smtpSource({ ...load, messages })
    await drained(instance)
    const seconds = (performance.now() - begin) / 1000
    const cpu = (await cpuMicroseconds(master)) - cpuBefore
    const { bytes, processes } = await memory(master)
    if (workload.maildir === true) {
      const arrived = await readdir(join(instance.directory, 'vhosts/user/new'))
      if (arrived.length !== messages + WARM_UP) {
        throw new Error(
          `${system}: ${arrived.length} files in the maildir, not ${messages + WARM_UP}`,
        )
      }
    }
    return {
      messagesPerSecond: messages / seconds,
      cpuMicrosecondsPerMessage: cpu / messages,
      memoryBytes: bytes,
      processes,
    }
  } finally {
    await instance.stop()
    await sink.stop()
  }
}

async function latencyOnce(
  system: System,
  ratePerSecond: number,
  base: string,
): Promise<LatencyResult> {
  const sink = await TimedSink.start()
  const instance = await makeInstance(system, sink.port, base)
  await instance.start()
  try {
    await smtpSource({
      port: instance.smtpPort,
      sessions: 20,
      messages: WARM_UP,
      to: 'warm@remote.test',
    })
    await drained(instance)
    const messages = Math.round(Math.min(MESSAGES, ratePerSecond * 10))
    sink.arrivals.clear()
    return await measureLatency(instance.smtpPort, sink, {
      ratePerSecond,
      messages,
      sizeBytes: 1024,
    })
  } finally {
    await instance.stop()
    await sink.stop()
  }
}

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`
const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
const ratioText = (ratios: readonly number[]): string =>
  `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)})`

async function main(): Promise<void> {
  const base = '/var/tmp/posthorn-bench'
  await mkdir(base, { recursive: true })
  await chmod(base, 0o755)
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, Linux ${release()}`
  console.log(`Posthorn beside Postfix, ${new Date().toISOString().slice(0, 10)}, ${machine}\n`)
  console.log(row(['load', 'system', 'messages/s', 'CPU µs/message', 'memory MB (processes)']))
  console.log(row(['---', '---', '---', '---', '---']))
  const results: Record<string, Record<System, Run[]>> = {}
  for (const workload of WORKLOADS) {
    if (values.only !== undefined && values.only !== workload.name) continue
    const runs: Record<System, Run[]> = { postfix: [], posthorn: [] }
    for (let pair = 0; pair < PAIRS; pair += 1) {
      for (const system of SYSTEMS) runs[system].push(await runOnce(workload, system, base))
    }
    results[workload.name] = runs
    for (const system of SYSTEMS) {
      const of = (pick: (run: Run) => number): number => median(runs[system].map(pick))
      console.log(
        row([
          workload.title,
          system,
          of((run) => run.messagesPerSecond).toFixed(0),
          of((run) => run.cpuMicrosecondsPerMessage).toFixed(0),
          `${megabytes(of((run) => run.memoryBytes))} (${of((run) => run.processes)})`,
        ]),
      )
    }
    const ratios = (pick: (run: Run) => number): number[] =>
      runs.posthorn.map((run, pair) => pick(run) / pick(runs.postfix[pair] ?? run))
    console.log(
      row([
        workload.title,
        'ratio',
        ratioText(ratios((run) => run.messagesPerSecond)),
        ratioText(ratios((run) => run.cpuMicrosecondsPerMessage)),
        '',
      ]),
    )
  }
  const latency: Partial<Record<System, LatencyResult[]>> = {}
  const peak = results['relay-1k']?.postfix.map((run) => run.messagesPerSecond)
  if (peak !== undefined) {
    const rate = Math.round(median(peak) / 2)
    console.log(`\nTime at ${rate} messages/s, half of Postfix's peak in this run, in ms:\n`)
    console.log(row(['system', 'connect to 250, p50', 'p99', 'connect to delivered, p50', 'p99']))
    console.log(row(['---', '---', '---', '---', '---']))
    for (let pair = 0; pair < PAIRS; pair += 1) {
      for (const system of SYSTEMS) {
        ;(latency[system] ??= []).push(await latencyOnce(system, rate, base))
      }
    }
    for (const system of SYSTEMS) {
      const of = (pick: (result: LatencyResult) => number): string =>
        median((latency[system] ?? []).map(pick)).toFixed(1)
      console.log(
        row([
          system,
          of((result) => result.accepted.p50Ms),
          of((result) => result.accepted.p99Ms),
          of((result) => result.delivered.p50Ms),
          of((result) => result.delivered.p99Ms),
        ]),
      )
    }
  }
  await mkdir(join(values.json, '..'), { recursive: true })
  await writeFile(
    values.json,
    `${JSON.stringify({ machine, date: new Date(), results, latency }, null, 2)}\n`,
  )
  console.log(`\nAll figures of all runs: ${values.json}`)
  await rm(base, { recursive: true, force: true })
}

await main()
