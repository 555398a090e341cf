import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { temporaryDirectory, temporaryFiles } from '@posthorn/testing/temporary-directory'
import t from 'tap'
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
  const value = base64('first\n\nsecond\n\n')
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
