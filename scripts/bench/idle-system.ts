/**
 * idle-system - how soon a system that is started takes mail, and the memory of one that has nothing to do
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Instance, System } from '../instance.ts'
import { inPairs, type Bench, type BenchRow } from './bench-row.ts'
import { drained } from './bench-site.ts'
import { memory, type Memory } from './process-memory.ts'
import { figureLine } from './result-table.ts'
import { contentOf, SmtpDialogue } from './smtp-dialogue.ts'

const SETTLE_MS = 5000
const START_LIMIT_MS = 60_000
const RETRY_MS = 5

/**
 * Not the address of the server: a client that asks for a port where nobody listens yet may be given that very
 * port for its own end, and is then connected to itself.
 */
const CLIENT = '127.0.0.2'
const MAIN = { smtpd_peername_lookup: 'no', default_transport: 'discard:' }

interface MemoryRun {
  readonly afterStart: Memory
  readonly afterMessage: Memory
}

async function sendOne(port: number): Promise<void> {
  const dialogue = await SmtpDialogue.open({ port, from: CLIENT })
  await dialogue.say('EHLO bench.example.test', '250')
  await dialogue.send(['somebody@discarded.test'], contentOf('the first', 1024))
  dialogue.close()
}

async function memoryOnce(bench: Bench, system: System): Promise<MemoryRun> {
  return bench.site.withSystem(system, { main: MAIN }, async (instance) => {
    const master = await instance.masterPid()
    await sleep(SETTLE_MS)
    const afterStart = await memory(master)
    await sendOne(instance.smtpPort)
    await drained(instance)
    await sleep(SETTLE_MS)
    return { afterStart, afterMessage: await memory(master) }
  })
}

const inMegabytes = (bytes: number): number => bytes / 2 ** 20

export const idleMemoryRow: BenchRow = {
  name: 'memory',
  title: 'memory of the idle system',
  pairSeconds: 25,
  run: async (bench) => {
    const runs = await inPairs(
      bench,
      async (system) => memoryOnce(bench, system),
      ({ afterStart, afterMessage }) =>
        `${inMegabytes(afterStart.bytes).toFixed(0)} MB (${afterStart.processes} processes), after the first ` +
        `message ${inMegabytes(afterMessage.bytes).toFixed(0)} MB (${afterMessage.processes})`,
    )
    const figure = { unit: ' MB', limit: 150 }
    const lines = [
      figureLine(runs, {
        ...figure,
        load: 'memory of the idle system after start (PSS)',
        pick: (run) => inMegabytes(run.afterStart.bytes),
      }),
      figureLine(runs, {
        ...figure,
        load: 'memory of the idle system after its first message (PSS)',
        pick: (run) => inMegabytes(run.afterMessage.bytes),
      }),
    ]
    return { lines, runs }
  },
}

/** Tries until somebody answers, and gives the time when the message was accepted. */
async function firstAccepted(port: number): Promise<number> {
  const until = performance.now() + START_LIMIT_MS
  for (;;) {
    try {
      await sendOne(port)
      return performance.now()
    } catch (error) {
      if (performance.now() > until) throw error
      await sleep(RETRY_MS)
    }
  }
}

async function startOnce(bench: Bench, system: System): Promise<{ readonly seconds: number }> {
  const work = async (instance: Instance): Promise<{ seconds: number }> => {
    const begin = performance.now()
    const [accepted] = await Promise.all([firstAccepted(instance.smtpPort), instance.start()])
    return { seconds: (accepted - begin) / 1000 }
  }
  return bench.site.withSystem(system, { main: MAIN, isLeftStopped: true }, work)
}

export const startTimeRow: BenchRow = {
  name: 'start',
  title: '`postfix start` to the first 250',
  pairSeconds: 12,
  run: async (bench) => {
    const runs = await inPairs(
      bench,
      async (system) => startOnce(bench, system),
      (run) => `${run.seconds.toFixed(2)} s`,
    )
    const line = figureLine(runs, {
      load: '`postfix start` to the first message accepted',
      pick: (run) => run.seconds,
      digits: 2,
      unit: ' s',
      limit: 1.5,
    })
    return { lines: [line], runs }
  },
}
