import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { temporaryDirectory, temporaryFiles } from '@posthorn/testing/temporary-directory'
import t from 'tap'
import { contentOf } from './file-value.ts'
import { openTable } from './open-table.ts'

const directory = temporaryDirectory(t)
const file = temporaryFiles(t, directory)
const one = file('one', 'first\n')
const two = file('two', 'second\n')
const base64 = (text: string): string => Buffer.from(text).toString('base64')

t.test('openTable() finds what stands in files, where values name them', async (t) => {
  const texthash = file('text', `key ${one}, ${two}\n`)
  const regexp = file('rules', `/^ke.$/ ${one} ${two}\n`)
  const context = { config: MainConfig.of({}), valuesAreFiles: true }
  const value = base64('first\n\nsecond\n')
  for (const reference of [
    `inline:{ { key = ${one}, ${two} } }`,
    `texthash:${texthash}`,
    `static:{ ${one} ${two} }`,
    `regexp:${regexp}`,
    `pcre:${regexp}`,
  ]) {
    const table = openTable(reference, context)
    // read when the table is opened
    t.same(await table.find('key'), { kind: 'found', value }, reference)
  }
  t.same(await openTable(`static:${one}`, { config: MainConfig.of({}) }).find('key'), {
    kind: 'found',
    value: one,
  })
})

t.test('openTable() has a table that cannot be asked for a file that is not there', async (t) => {
  const log = captureLog()
  t.teardown(log.restore)
  const table = openTable('static:/nonexistent', {
    config: MainConfig.of({}),
    valuesAreFiles: true,
  })
  t.match(await table.find('key'), { kind: 'tryAgain' })
  t.equal(log.lines[0], 'error: open /nonexistent: No such file or directory')
})

t.test('openTable() leaves out an entry whose file is not there', async (t) => {
  const log = captureLog()
  t.teardown(log.restore)
  const texthash = file('partly', `bad /nonexistent\nkey ${one}\n`)
  const regexp = file('some', `/bad/ /nonexistent\n/key/ ${one}\n`)
  const context = { config: MainConfig.of({}), valuesAreFiles: true }
  for (const reference of [`texthash:${texthash}`, `regexp:${regexp}`]) {
    const table = openTable(reference, context)
    t.same(await table.find('key'), { kind: 'found', value: base64('first\n') }, reference)
    t.same(await table.find('bad'), { kind: 'absent' }, reference)
  }
  t.same(log.lines, [
    `warning: ${texthash}, line 1: open /nonexistent: No such file or directory: skipping this entry`,
    `warning: regexp map ${regexp}, line 1: open /nonexistent: No such file or directory: skipping this rule`,
  ])
})

t.test('contentOf() is what stood in the files', (t) => {
  t.equal(contentOf(base64('a\0\xff')), 'a\0\u00c3\u00bf')
  for (const value of ['!!!', 'abc', 'ab==c']) t.equal(contentOf(value), undefined, value)
  t.end()
})
