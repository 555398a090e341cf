/**
 * fuzz - broken input for everything that reads what strangers write, a great many times
 *
 * Usage: fuzz.ts [--count N] [--first N] [--seed N] [--only INDEX] [--findings N] [TARGET ...]
 *
 *     --count N      inputs of each target; 1,000,000
 *     --first N      the number of the first one; 0
 *     --seed N       the inputs of another seed are other inputs; 1
 *     --only INDEX   this input alone, and what was said and done in it
 *     --findings N   stop at so many; 10
 *
 * Without names, all targets. Exit status 1: something was found; seed and number of the input are said, so that --only shows it.
 */
import { parseArgs } from 'node:util'
import type { FuzzTarget } from './fuzz/fuzz-target.ts'
import { FuzzRun } from './fuzz/fuzz-run.ts'
import { ReplyFuzz } from './fuzz/replies.ts'

const PROGRESS_MS = 5000

const TARGETS: Readonly<Record<string, () => Promise<FuzzTarget>>> = {
  replies: async () => ReplyFuzz.open(),
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '1000000' },
    first: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    findings: { type: 'string', default: '10' },
  },
})
const seed = Number(values.seed)
const first = Number(values.only ?? values.first)
const count = values.only === undefined ? Number(values.count) : 1

// stacks cost more than all the rest; --only shows them
if (values.only === undefined) Error.stackTraceLimit = 0

async function fuzz(target: FuzzTarget): Promise<number> {
  const run = new FuzzRun(target)
  let saidMs = 0
  let saidFindings = 0
  const progress = (): void => {
    for (const { index, text } of run.findings.slice(saidFindings)) {
      console.log(`finding: ${target.name} --seed ${seed} --only ${index}: ${text}`)
    }
    saidFindings = run.findings.length
    if (run.elapsedMs - saidMs < PROGRESS_MS) return
    saidMs = run.elapsedMs
    const perSecond = Math.round((run.inputs / saidMs) * 1000)
    console.log(
      `${target.name}: ${run.inputs} of ${count} inputs, ${perSecond} a second, ${run.findings.length} findings`,
    )
  }
  await run.run({ seed, first, count }, progress, Number(values.findings))
  if (values.only !== undefined) console.log(target.describe())
  console.log(run.summary(seed))
  return run.findings.length
}

for (const name of positionals.length > 0 ? positionals : Object.keys(TARGETS)) {
  const open = TARGETS[name]
  if (open === undefined)
    throw new Error(`Cannot fuzz ${name}: want ${Object.keys(TARGETS).join(', ')}`)
  const target = await open()
  try {
    if ((await fuzz(target)) > 0) process.exitCode = 1
  } finally {
    target.close()
  }
}
