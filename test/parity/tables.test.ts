/**
 * tables - lookup tables of both systems give the same answers, and complain in the same words
 *
 * Postfix answers through `postmap -q`. Its plug-in for pcre is another package: what it says is kept in
 * tables-pcre.ref, which POSTHORN_GOLDEN=write makes anew where the plug-in is (its complaints name offsets that we do
 * not know, so only whether there is one is compared). Needs Postfix 3.7.
 *
 * Not compared, and on purpose otherwise with us: a directory as a table of patterns (Postfix: an empty one), text that is
 * no UTF-8, what a group inside a repeated one holds, and constructs of Perl that pcre-pattern.ts refuses.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import t, { type Test } from 'tap'
import { ROOT } from '../../scripts/instance.ts'
import { CIDR_TABLES, PLAIN_CASES, type TableCase } from './tables-cases.ts'
import type { Asked } from './tables-driver.ts'
import { PCRE_CASES, REGEXP_CASES } from './tables-patterns.ts'

const PCRE_REFERENCE = join(ROOT, 'test/parity/tables-pcre.ref')
/** A process of ours may log 13 errors. */
const BATCH = 12

interface Given {
  readonly table: string
  /** key: value, for those that are there. */
  readonly answers: readonly string[]
  readonly log: readonly string[]
}

interface Site {
  readonly directory: string
  readonly tables: readonly { table: string; name: string; keys: readonly string[] }[]
}

function makeSite(t: Test, cases: readonly TableCase[]): Site {
  const directory = mkdtempSync(join(tmpdir(), 'parity-tables-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const main = 'compatibility_level = 3.7\nmyhostname = mx.example.com\n'
  writeFileSync(join(directory, 'main.cf'), `${main}queue_directory = ${directory}\n`)
  const tables = cases.map(({ table, text, keys }, at) => {
    if (text === undefined) return { table, name: table, keys }
    const file = join(directory, `table-${at}`)
    writeFileSync(file, text, 'latin1')
    return { table: table + file, name: `${table} ${text.split('\n', 1).join('')}`, keys }
  })
  return { directory, tables }
}

/** Octets that the log does not show; where the table is; complaints about empty values, which are MapList's here. */
function comparableLog(lines: readonly string[], directory: string): string[] {
  const comparable = lines
    .map((line) => line.replace(/^postmap: /, '').replaceAll(directory, 'DIR'))
    .map((line) => line.replace(/[^\x20-\x7e]/g, '?'))
    .filter((line) => line !== '' && !/empty string result|should return NO RESULT/.test(line))
  return [...new Set(comparable)].sort()
}

async function askPostfix({ directory, tables }: Site): Promise<Given[]> {
  return Promise.all(
    tables.map(async ({ table, name, keys }) => {
      const { stdout, stderr } = await execa('postmap', ['-c', directory, '-q', '-', table], {
        input: Buffer.from(keys.map((key) => `${key}\n`).join(''), 'latin1'),
        encoding: 'latin1',
        reject: false,
      })
      const found = stdout.split('\n').filter((line) => line !== '')
      const answers = found.map((line) => line.replace('\t', ': '))
      return { table: name, answers, log: comparableLog(stderr.split('\n'), directory) }
    }),
  )
}

async function askPosthorn({ directory, tables }: Site): Promise<Given[]> {
  const given: Given[] = []
  for (let at = 0; at < tables.length; at += BATCH) {
    const batch = tables.slice(at, at + BATCH)
    const { stdout } = await execa(process.execPath, [join(ROOT, 'test/parity/tables-driver.ts')], {
      input: JSON.stringify(batch),
      env: { MAIL_CONFIG: directory },
    })
    // what the driver prints is ours
    const asked = JSON.parse(stdout) as Asked[]
    for (const [index, { answers, log }] of asked.entries()) {
      const question = batch[index]
      if (question) given.push(asPostmap(question, answers, log, directory))
    }
  }
  return given
}

/** postmap(1) ends where a daemon goes on: at a table that cannot be opened, and at the first lookup that fails. */
function asPostmap(
  { table, name, keys }: Site['tables'][number],
  answers: Asked['answers'],
  log: readonly string[],
  directory: string,
): Given {
  const lines = log
    .filter((line) => !line.includes(' is unavailable. '))
    .map((line) => line.replace(/^error: |^fatal: ConfigError: /, 'fatal: '))
  const isClosed = log.some((line) => line.startsWith('error: '))
  const failedAt = isClosed ? 0 : answers.findIndex((answer) => answer?.startsWith('!'))
  if (!isClosed && failedAt >= 0)
    lines.push(`fatal: table ${table}: query error: Application error`)
  const shown = failedAt < 0 ? answers : answers.slice(0, failedAt)
  const pairs = shown.flatMap((value, at) => {
    return value === null ? [] : [`${keys[at] ?? ''}: ${value}`]
  })
  return { table: name, answers: pairs, log: comparableLog(lines, directory) }
}

async function expectSame(t: Test, cases: readonly TableCase[]): Promise<void> {
  const site = makeSite(t, cases)
  const [postfix, posthorn] = await Promise.all([askPostfix(site), askPosthorn(site)])
  t.equal(posthorn.length, postfix.length)
  for (const [at, wanted] of postfix.entries()) t.same(posthorn[at], wanted, wanted.table)
}

t.test('tables of text, of tables, and of nothing', async (t) => expectSame(t, PLAIN_CASES))

t.test('cidr', async (t) => expectSame(t, CIDR_TABLES))

t.test('regexp', async (t) => expectSame(t, REGEXP_CASES))

/** What a complaint says about an expression is the library's; that there is one is ours. */
function withoutWords({ table, answers, log }: Given): Given {
  return { table, answers, log: log.map((line) => line.replace(/(line \d+: ).*/, '$1…')) }
}

t.test('pcre', async (t) => {
  const site = makeSite(t, PCRE_CASES)
  if (process.env['POSTHORN_GOLDEN'] === 'write') {
    const said = (await askPostfix(site)).map(withoutWords)
    writeFileSync(PCRE_REFERENCE, said.map((one) => `${JSON.stringify(one)}\n`).join(''))
  }
  const lines = readFileSync(PCRE_REFERENCE, 'utf8').trimEnd().split('\n')
  const posthorn = (await askPosthorn(site)).map(withoutWords)
  t.equal(lines.length, posthorn.length)
  for (const [at, line] of lines.entries()) {
    const wanted = JSON.parse(line) as Given
    t.same(posthorn[at], wanted, wanted.table)
  }
})
