/**
 * idle-sessions - how many SMTP sessions are held open at once, and the memory that each takes
 *
 * Every session has had its greeting and EHLO answered, and answers NOOP at the end. Memory is what all
 * processes have more than before, divided by the sessions. The clients are strangers, as on the Internet: anvil(8) is asked about each and stays
 * connected. An administrator who wants this raises the limit of the smtpd service, and here that of one client.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench, BenchRow, RowResult } from './bench-row.ts'
import { memory } from './process-memory.ts'
import { megabytes } from './result-table.ts'
import { contentOf, SmtpDialogue } from './smtp-dialogue.ts'
import { median } from './statistics.ts'

const SOURCES = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5']
const AT_ONCE = 200
/** Beyond the sessions, so that the service is never full, and the stress settings stay away. */
const SPARE = 1000
const SETTLE_MS = 3000
const LIMIT_BYTES = 40 * 1024

interface IdleRun {
  readonly open: number
  readonly held: number
  readonly openSeconds: number
  readonly bytesBefore: number
  readonly bytesWith: number
  readonly bytesPerSession: number
  readonly firstFailure: string | undefined
}

/** Does `work` for every number below `count`, some at once, and counts those that succeed. */
async function forEach(
  count: number,
  work: (at: number) => Promise<void>,
): Promise<{ succeeded: number; firstFailure: string | undefined }> {
  let next = 0
  let succeeded = 0
  let firstFailure: string | undefined
  const worker = async (): Promise<void> => {
    while (next < count) {
      const at = next
      next += 1
      try {
        await work(at)
        succeeded += 1
      } catch (error) {
        firstFailure ??= error instanceof Error ? error.message : String(error)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return { succeeded, firstFailure }
}

async function open(port: number, at: number): Promise<SmtpDialogue> {
  const from = SOURCES[at % SOURCES.length] ?? '127.0.0.1'
  const dialogue = await SmtpDialogue.open({ port, from })
  await dialogue.say('EHLO idle.example.test', '250')
  return dialogue
}

/** Each process has done its work once before its memory counts as what it takes without sessions. */
async function warmUp(port: number): Promise<void> {
  const { firstFailure } = await forEach(AT_ONCE, async (at) => {
    const dialogue = await open(port, at)
    await dialogue.send(['somebody@localhost'], contentOf('warm-up', 1024))
    await dialogue.say('QUIT', '221')
    dialogue.close()
  })
  if (firstFailure !== undefined) throw new Error(`Warm-up failed: ${firstFailure}`)
}

async function runOnce(bench: Bench): Promise<IdleRun> {
  const options = {
    // The sessions are what is measured, not a name server that may be far away.
    main: {
      smtpd_peername_lookup: 'no',
      mynetworks: '127.0.0.1/32',
      smtpd_client_connection_count_limit: String(bench.sessions),
      local_transport: 'discard:',
    },
    smtpdClients: bench.sessions + SPARE,
  }
  const sessions: SmtpDialogue[] = []
  return bench.site.withSystem('posthorn', options, async (instance) => {
    try {
      await warmUp(instance.smtpPort)
      await sleep(SETTLE_MS)
      const master = await instance.masterPid()
      const before = await memory(master)
      const begin = performance.now()
      const opened = await forEach(bench.sessions, async (at) => {
        sessions.push(await open(instance.smtpPort, at))
      })
      const openSeconds = (performance.now() - begin) / 1000
      await sleep(SETTLE_MS)
      const during = await memory(master)
      const answered = await forEach(sessions.length, async (at) => {
        await sessions[at]?.say('NOOP', '250')
      })
      return {
        open: opened.succeeded,
        held: answered.succeeded,
        openSeconds,
        bytesBefore: before.bytes,
        bytesWith: during.bytes,
        bytesPerSession: (during.bytes - before.bytes) / Math.max(1, opened.succeeded),
        firstFailure: opened.firstFailure ?? answered.firstFailure,
      }
    } finally {
      for (const session of sessions) session.close()
    }
  })
}

const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KB`

/** Held means in every run; the memory is the median of the runs. */
function resultOf(runs: readonly IdleRun[], wanted: number): RowResult {
  const sizes = runs.map((run) => run.bytesPerSession)
  const held = Math.min(...runs.map((run) => run.held))
  const spread = `${kilobytes(Math.min(...sizes))} to ${kilobytes(Math.max(...sizes))}`
  const each = `${kilobytes(median(sizes))} each (${spread})`
  const line = {
    load: `${wanted.toLocaleString('en')} open idle SMTP sessions`,
    postfix: 'not tried: a process for each',
    posthorn: held === wanted ? `held, ${each}` : `${held} held, ${each}`,
    target: 'held, <= 40 KB each',
    isReached: held === wanted && median(sizes) <= LIMIT_BYTES,
    memory: `- / ${megabytes(median(runs.map((run) => run.bytesWith)))}`,
  }
  const remarks = [
    `Idle sessions: maxproc of the smtpd service was raised to ${wanted + SPARE} for it, and ` +
      `smtpd_client_connection_count_limit to ${wanted}, for all come from ${SOURCES.length} addresses; ` +
      'smtpd_peername_lookup is off.',
  ]
  const failed = runs.find((run) => run.firstFailure !== undefined)
  if (failed?.firstFailure !== undefined) {
    remarks.push(
      `Idle sessions: ${failed.open} of ${wanted} opened, ${failed.held} answered at the end; the first ` +
        `failure was: ${failed.firstFailure}`,
    )
  }
  return { lines: [line], runs: { posthorn: runs }, remarks }
}

export const idleSessionsRow: BenchRow = {
  name: 'idle',
  title: 'open idle SMTP sessions',
  pairSeconds: 15,
  run: async (bench) => {
    const runs: IdleRun[] = []
    for (let number = 1; number <= bench.pairs; number += 1) {
      const run = await runOnce(bench)
      runs.push(run)
      bench.progress(
        `  run ${number} of ${bench.pairs}, Posthorn: ${run.open} sessions open after ` +
          `${run.openSeconds.toFixed(1)} s, ${run.held} held, ${kilobytes(run.bytesPerSession)} each`,
      )
    }
    return resultOf(runs, bench.sessions)
  },
}
