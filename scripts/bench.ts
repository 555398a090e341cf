/**
 * bench - Posthorn beside the real Postfix: same machine, same run, same load, same promise
 *
 * Usage: make bench, or scripts/bench.ts --help
 * Both systems get the same configuration, their own queue directories on the same file system, and fsync.
 * Runs alternate (A B A B ...), and the table shows medians with the ratio to Postfix in the same pair.
 * Needs root, Postfix 3.7 (for itself, smtp-source and smtp-sink) and strace. Exits 0 whatever the figures; a row
 * that cannot be run says why, and the others go on. Progress goes to standard error, the table to standard output.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import type { Bench, BenchRow, RowResult } from './bench/bench-row.ts'
import { BenchSite } from './bench/bench-site.ts'
import { connectionCacheRow } from './bench/connection-cache.ts'
import { deadMxRows } from './bench/dead-mx.ts'
import { describeEnvironment, type Environment } from './bench/environment.ts'
import { fsyncRow } from './bench/fsync-proof.ts'
import { idleSessionsRow } from './bench/idle-sessions.ts'
import { idleMemoryRow, startTimeRow } from './bench/idle-system.ts'
import { latencyRow } from './bench/latency.ts'
import { manyRecipientsRow } from './bench/many-recipients.ts'
import { printTable, type ResultLine } from './bench/result-table.ts'
import { slowDestinationsRow } from './bench/slow-destinations.ts'
import { stallingRow } from './bench/stalling-destinations.ts'
import { throughputRows } from './bench/throughput.ts'
import { tlsReuseRow } from './bench/tls-reuse.ts'
import { ROOT } from './instance.ts'

const ROWS: readonly BenchRow[] = [
  ...throughputRows,
  manyRecipientsRow,
  slowDestinationsRow,
  stallingRow,
  ...deadMxRows,
  tlsReuseRow,
  connectionCacheRow,
  latencyRow,
  idleSessionsRow,
  idleMemoryRow,
  startTimeRow,
  fsyncRow,
]
const INTERRUPTED = 130

const options = yargs(hideBin(process.argv))
  .usage('$0 [options]: Posthorn beside the real Postfix, in one run')
  .option('only', {
    type: 'string',
    default: '',
    describe: `these rows, with commas: ${ROWS.map(({ name }) => name).join(',')}`,
  })
  .option('pairs', { type: 'number', default: 5, describe: 'how often each system runs each load' })
  .option('messages', { type: 'number', default: 4000, describe: 'messages of a throughput run' })
  .option('warm-up', { type: 'number', default: 2000, describe: 'messages ahead of each run' })
  .option('sessions', { type: 'number', default: 10_000, describe: 'idle sessions' })
  .option('json', {
    type: 'string',
    default: join(ROOT, 'out/bench.json'),
    describe: 'the file that gets all figures of all runs',
  })
  .check(({ only, pairs, messages, 'warm-up': warmUp, sessions }) => {
    const unknown = namesIn(only).filter((name) => ROWS.every((row) => row.name !== name))
    if (unknown.length > 0) throw new Error(`There is no row ${unknown.join(', ')}`)
    for (const number of [pairs, messages, warmUp, sessions]) {
      if (!Number.isInteger(number) || number < 1) throw new Error('Numbers must be 1 or more')
    }
    return true
  })
  .strict()
  .parseSync()

function namesIn(list: string): string[] {
  return list.split(/[\s,]+/).filter((name) => name !== '')
}

type Outcome = RowResult | { readonly error: string }

/** Kept up to date row by row: an interrupted run leaves what it has measured. */
async function writeJson(
  environment: Environment,
  outcomes: Readonly<Record<string, Outcome>>,
): Promise<void> {
  const { pairs, messages, warmUp, sessions } = options
  const all = { environment, options: { pairs, messages, warmUp, sessions }, rows: outcomes }
  await mkdir(dirname(options.json), { recursive: true })
  await writeFile(options.json, `${JSON.stringify(all, null, 2)}\n`)
}

async function tryRow(row: BenchRow, bench: Bench): Promise<Outcome> {
  const pairs = row.isOnce === true ? 1 : bench.pairs
  const minutes = Math.ceil((row.pairSeconds * pairs) / 60)
  const times = pairs === 1 ? 'once' : `${pairs} pairs`
  bench.progress(`${row.name} (${row.title}): ${times}, about ${minutes} min`)
  try {
    return await row.run(bench)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    bench.progress(`  failed: ${text}`)
    return { error: text }
  }
}

function linesOf(row: BenchRow, outcome: Outcome): readonly ResultLine[] {
  if ('lines' in outcome) return outcome.lines
  const [reason = ''] = outcome.error.split('\n')
  return [{ load: row.title, postfix: '', posthorn: `could not be run: ${reason}` }]
}

async function main(): Promise<void> {
  const site = await BenchSite.open()
  const interrupt = (): void => {
    if (site.isClosing) return
    process.stderr.write('interrupted: ending what was started\n')
    site.close().then(
      () => process.exit(INTERRUPTED),
      () => process.exit(INTERRUPTED),
    )
  }
  // Not once(): the handler of execa ends the process when it finds that it is the only one left.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupt)
  try {
    const environment = await describeEnvironment(site.directory)
    const bench: Bench = {
      site,
      pairs: options.pairs,
      messages: options.messages,
      warmUp: options.warmUp,
      sessions: options.sessions,
      postfixPeak: undefined,
      progress: (text) => {
        if (!site.isClosing)
          process.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${text}\n`)
      },
    }
    const wanted = namesIn(options.only)
    const lines: ResultLine[] = []
    const remarks: string[] = []
    const outcomes: Record<string, Outcome> = {}
    for (const row of ROWS) {
      if (site.isClosing || (wanted.length > 0 && !wanted.includes(row.name))) continue
      const outcome = await tryRow(row, bench)
      outcomes[row.name] = outcome
      lines.push(...linesOf(row, outcome))
      if ('remarks' in outcome) remarks.push(...(outcome.remarks ?? []))
      await writeJson(environment, outcomes)
    }
    if (site.isClosing) return
    console.log(`Posthorn beside Postfix: ${Object.values(environment).join(', ')}`)
    console.log(
      `Pairs: ${options.pairs}; runs of ${options.messages} messages (a quarter of 50 KB ones) after ` +
        `${options.warmUp} to warm up; medians, and the ratio of each pair with its spread\n`,
    )
    console.log(printTable(lines))
    for (const remark of remarks) console.log(remark)
    console.log(`All figures of all runs: ${options.json}`)
  } finally {
    await site.close()
  }
}

await main()
