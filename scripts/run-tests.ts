/**
 * run-tests - run test files with tap and end in one line: N passed, N failed
 *
 * Usage: run-tests.ts [--jobs N] [FILE or FOLDER ...]; without names, every test beside its module.
 * The full TAP output is kept in build/test.tap for reading after a failure.
 */
import { createReadStream } from 'node:fs'
import { glob, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { execa } from 'execa'
import { ROOT } from './instance.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: 'string', default: '2' }, timeout: { type: 'string', default: '120' } },
})

/** Some use all that the machine has: beside others both would only take longer, and time-outs come true. */
function isAlone(file: string): boolean {
  return /exactly-once|parity\/smtp(?:-faults|-sasl|-tls)?\.test/.test(file)
}

/** tap wants files: a folder stands for every test below it. */
async function testFiles(names: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const name of names) {
    if (name.endsWith('.ts')) found.push(name)
    else for await (const file of glob(`${name}/**/*.test.ts`, { cwd: ROOT })) found.push(file)
  }
  found.sort()
  // at the end: one that runs alone lets those before it finish first
  return [...found.filter((file) => !isAlone(file)), ...found.filter(isAlone)]
}

await mkdir(join(ROOT, 'build'), { recursive: true })
const tapFile = join(ROOT, 'build/test.tap')
const files = await testFiles(positionals)
const result = await execa(
  process.execPath,
  [
    join(ROOT, 'node_modules/tap/dist/esm/run.mjs'),
    `--jobs=${values.jobs}`,
    `--timeout=${values.timeout}`,
    '--reporter=terse',
    `--output-file=${tapFile}`,
    ...files.filter(isAlone).map((file) => `--serial=${file}`),
    ...files,
  ],
  {
    cwd: ROOT,
    stdio: 'inherit',
    reject: false,
    // each test beside a module is a process that strips the types of some hundred others: once for all of them
    env: positionals.length > 0 ? {} : { NODE_COMPILE_CACHE: join(ROOT, 'build/compile-cache') },
  },
)

// The last summary line of the TAP stream has the totals over all files.
let passed = 0
let failed = 0
for await (const line of createInterface({ input: createReadStream(tapFile) })) {
  if (/^\s*not ok /.test(line)) console.log(line)
  const summary = /^# \{ total: (\d+)(.*)\}$/.exec(line)
  if (summary === null) continue
  passed = Number(/pass: (\d+)/.exec(summary[2] ?? '')?.[1] ?? 0)
  failed = Number(summary[1]) - passed - Number(/skip: (\d+)/.exec(summary[2] ?? '')?.[1] ?? 0)
}
if (result.exitCode !== 0 && failed === 0) failed = 1
// the reporter may have left an escape sequence on the last line
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
