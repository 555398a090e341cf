/**
 * many-recipients - one message to 1,000 recipients at 50 destinations, ten times, one after the other
 *
 * From the start of the submission until the last recipient has it. The client pipelines; the destinations are
 * loopback addresses, each a next-hop of its own by transport_maps, with one server of ours behind all.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { System } from '../instance.ts'
import { inPairs, type Bench, type BenchRow } from './bench-row.ts'
import { drained } from './bench-site.ts'
import { loopbackAddresses, type LoopbackSink } from './loopback-sink.ts'
import { figureLine } from './result-table.ts'
import { contentOf, SmtpDialogue } from './smtp-dialogue.ts'

const RECIPIENTS = 1000
const DESTINATIONS = 50
const MESSAGES = 10
const WARM_UP = 2
const LIMIT_MS = 120_000

interface RecipientsRun {
  readonly recipientsPerSecond: number
  /** From the last answer to the client until the last recipient had the message, all messages together. */
  readonly secondsAfterSubmission: number
  /** Share of one processor that client and destinations took: they must not be what is measured. */
  readonly benchCpuShare: number
}

const RECIPIENT_LIST = Array.from(
  { length: RECIPIENTS },
  (_, at) => `user${at}@d${at % DESTINATIONS}.test`,
)

async function measure(port: number, sink: LoopbackSink): Promise<RecipientsRun> {
  const dialogue = await SmtpDialogue.open({ port })
  await dialogue.say('EHLO bench.example.test', '250')
  const content = contentOf('to many', 1024)
  let begin = 0
  let afterMs = 0
  let cpu = process.cpuUsage()
  let last = 0
  for (let message = 0; message < WARM_UP + MESSAGES; message += 1) {
    if (message === WARM_UP) {
      begin = performance.now()
      afterMs = 0
      cpu = process.cpuUsage()
    }
    await dialogue.send(RECIPIENT_LIST, content)
    const accepted = performance.now()
    last = await sink.received((message + 1) * RECIPIENTS, LIMIT_MS)
    // Some recipients, or all, may have been first.
    afterMs += Math.max(0, last - accepted)
  }
  const used = process.cpuUsage(cpu)
  await dialogue.say('QUIT', '221')
  dialogue.close()
  const seconds = (last - begin) / 1000
  return {
    recipientsPerSecond: (MESSAGES * RECIPIENTS) / seconds,
    secondsAfterSubmission: afterMs / 1000,
    benchCpuShare: (used.user + used.system) / 1e6 / seconds,
  }
}

async function runOnce(bench: Bench, system: System): Promise<RecipientsRun> {
  const addresses = loopbackAddresses(DESTINATIONS)
  return bench.site.withSink({ addresses }, async (sink) => {
    const map = join(bench.site.directory, 'transport')
    const lines = addresses.map((address, at) => `d${at}.test smtp:[${address}]:${sink.port}\n`)
    await writeFile(map, lines.join(''))
    const main = { transport_maps: `texthash:${map}` }
    return bench.site.withSystem(system, { main }, async (instance) => {
      const run = await measure(instance.smtpPort, sink)
      await drained(instance)
      return run
    })
  })
}

export const manyRecipientsRow: BenchRow = {
  name: 'recipients',
  title: 'one message to 1,000 recipients at 50 destinations',
  pairSeconds: 20,
  run: async (bench) => {
    const runs = await inPairs(
      bench,
      async (system) => runOnce(bench, system),
      (run) =>
        `${run.recipientsPerSecond.toFixed(0)} recipients/s, ${run.secondsAfterSubmission.toFixed(1)} s of ` +
        `it after submission; client and destinations took ${(run.benchCpuShare * 100).toFixed(0)} % of a processor`,
    )
    const line = figureLine(runs, {
      load: '1,000 recipients at 50 destinations: recipients/s',
      pick: (run) => run.recipientsPerSecond,
      atLeast: 1.5,
    })
    return { lines: [line], runs }
  },
}
