/**
 * fsync-proof - that a message is on disk before its 250, as the kernel's own record of calls shows
 *
 * strace(1) follows the whole system and writes each call down before the process may go on, so at the moment
 * of a 250 the file has every fsync that was finished before it. Messages go one by one: each must have added
 * at least one, so that a call for another message cannot stand in for it.
 */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import type { Instance, System } from '../instance.ts'
import { SYSTEMS, TITLE, type Bench, type BenchRow } from './bench-row.ts'
import { drained } from './bench-site.ts'
import { processesOf } from './process-cost.ts'
import { contentOf, SmtpDialogue } from './smtp-dialogue.ts'

const MESSAGES = 50

interface FsyncRun {
  readonly messages: number
  /** After each 250: calls that were finished since the one before. */
  readonly calls: readonly number[]
}

/** Calls that ended well, also those that strace had to write down in two parts. */
export function finishedCalls(trace: string): number {
  const finished =
    /^.*(?:\b(?:fsync|fdatasync)\(.*|<\.\.\. (?:fsync|fdatasync) resumed>.*)\) += 0$/gm
  return trace.match(finished)?.length ?? 0
}

async function areAllTraced(pids: readonly number[]): Promise<boolean> {
  for (const pid of pids) {
    for (const task of await readdir(`/proc/${pid}/task`)) {
      const status = await readFile(`/proc/${pid}/task/${task}/status`, 'latin1').catch(() => '')
      if (/^TracerPid:\s+0$/m.test(status)) return false
    }
  }
  return true
}

/** Traces the processes, and those that they start, while `work` is done. */
async function withTrace<Value>(
  bench: Bench,
  pids: readonly number[],
  file: string,
  work: () => Promise<Value>,
): Promise<Value> {
  const attach = pids.flatMap((pid) => ['-p', String(pid)])
  const trace = execa(
    'strace',
    ['-f', '-e', 'trace=fsync,fdatasync', '-e', 'signal=none', '-o', file, ...attach],
    { reject: false, stdio: 'ignore' },
  )
  const stop = async (): Promise<void> => {
    trace.kill('SIGINT') // lets go of the processes
    await trace
    await rm(file, { force: true })
  }
  return bench.site.using(stop, async () => {
    await waitFor(async () => areAllTraced(pids), 'strace to follow every process', 20_000)
    return work()
  })
}

/** One message on a connection of its own; then what the trace says at that moment. */
async function sendOne(port: number, file: string): Promise<number> {
  const dialogue = await SmtpDialogue.open({ port })
  await dialogue.say('EHLO bench.example.test', '250')
  await dialogue.send(['user@remote.test'], contentOf('safe', 1024))
  const calls = finishedCalls(await readFile(file, 'latin1'))
  await dialogue.say('QUIT', '221')
  dialogue.close()
  return calls
}

async function measure(bench: Bench, instance: Instance): Promise<FsyncRun> {
  const file = join(bench.site.directory, 'fsync.trace')
  const pids = (await processesOf(await instance.masterPid())).map(({ pid }) => pid)
  return withTrace(bench, pids, file, async () => {
    const totals: number[] = [0]
    for (let sent = 0; sent < MESSAGES; sent += 1) {
      totals.push(await sendOne(instance.smtpPort, file))
    }
    await drained(instance)
    const calls = totals.slice(1).map((total, at) => total - (totals[at] ?? 0))
    return { messages: MESSAGES, calls }
  })
}

async function runOnce(bench: Bench, system: System): Promise<FsyncRun> {
  return bench.site.withSink({}, async (sink) => {
    const main = { relayhost: `[127.0.0.1]:${sink.port}` }
    return bench.site.withSystem(system, { main }, async (instance) => measure(bench, instance))
  })
}

const safeOnes = (run: FsyncRun): number => run.calls.filter((calls) => calls > 0).length
const total = (run: FsyncRun): number => run.calls.reduce((sum, calls) => sum + calls, 0)

/** What was promised and not kept, in plain words. */
function violations(system: System, run: FsyncRun): string[] {
  const numbers = run.calls.flatMap((calls, at) => (calls > 0 ? [] : [String(at + 1)]))
  if (numbers.length === 0) return []
  return [
    `VIOLATION: ${TITLE[system]} said 250 to ${numbers.length} of ${run.messages} messages before it had called ` +
      `fsync for them (messages ${numbers.join(', ')}). A power failure at that moment loses accepted mail.`,
  ]
}

export const fsyncRow: BenchRow = {
  name: 'fsync',
  title: 'fsync before each 250',
  pairSeconds: 20,
  isOnce: true,
  run: async (bench) => {
    const runs: Partial<Record<System, FsyncRun>> = {}
    const shown: Record<System, string> = { postfix: '', posthorn: '' }
    const remarks: string[] = []
    for (const system of SYSTEMS) {
      const run = await runOnce(bench, system)
      runs[system] = run
      shown[system] = `${safeOnes(run)} of ${run.messages}, ${total(run)} calls`
      remarks.push(...violations(system, run))
      bench.progress(`  ${TITLE[system]}: ${shown[system]}`)
    }
    const line = {
      load: 'messages with a finished fsync before their 250',
      ...shown,
      target: `${MESSAGES} of ${MESSAGES}`,
      isReached: remarks.length === 0,
    }
    return { lines: [line], runs, remarks }
  },
}
