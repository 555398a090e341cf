import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MainConfig } from '@posthorn/config/main-config'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import t from 'tap'
import { CacheTable } from './cache-table.ts'

const config = MainConfig.of({})

function open(path: string, foldsCase = false): CacheTable {
  const table = CacheTable.open(`btree:${path}`, config, foldsCase)
  if (table === undefined) throw new Error('btree: cannot be written')
  return table
}

t.test('what is written is there for the next process', async (t) => {
  const path = join(temporaryDirectory(t), 'cache')
  const table = open(path)
  t.same(table.find('a;B'), { kind: 'absent' })
  t.ok(table.update('a;B', '1\n2'))
  t.ok(table.update('c', 'gone'))
  t.ok(table.remove('c'))
  t.notOk(table.remove('c'))
  t.same(table.find('a;b'), { kind: 'absent' })
  await table.close()
  t.ok(existsSync(`${path}.posthorn`))
  t.same(open(path).find('a;B'), { kind: 'found', value: '1\n2' })
  t.same(open(path).find('c'), { kind: 'absent' })
})

t.test('keys in any letter case, where that is asked for', async (t) => {
  const table = open(join(temporaryDirectory(t), 'cache'), true)
  table.update('A', '1')
  t.same(table.find('a'), { kind: 'found', value: '1' })
  t.ok(table.remove('a'))
  await table.close()
})

t.test('walk() goes from the first to the last', async (t) => {
  const table = open(join(temporaryDirectory(t), 'cache'))
  t.equal(table.walk('next'), undefined)
  table.update('a', '1')
  table.update('b', '2')
  t.same(table.walk('first'), ['a', '1'])
  t.same(table.walk('next'), ['b', '2'])
  t.equal(table.walk('next'), undefined)
  t.same(table.walk('first'), ['a', '1'])
  await table.close()
})

t.test('a journal of many changes is written anew', async (t) => {
  const path = join(temporaryDirectory(t), 'cache')
  const table = open(path)
  for (let change = 0; change < 3000; change++) table.update('a', String(change))
  await table.close()
  const lines = readFileSync(`${path}.posthorn`, 'latin1').trimEnd().split('\n')
  t.ok(lines.length < 2100, `${lines.length} lines`)
  t.same(open(path).find('a'), { kind: 'found', value: '2999' })
})

t.test('open() says which tables cannot be written, and what cannot be read', (t) => {
  t.equal(CacheTable.open('cdb:/x', config, false), undefined)
  t.equal(CacheTable.open('static:x', config, false), undefined)
  t.equal(CacheTable.open('x', config, false), undefined)
  const directory = temporaryDirectory(t)
  writeFileSync(join(directory, 'file'), '')
  t.throws(() => open(join(directory, 'file', 'cache')), {
    code: 'POSTHORN_CONFIG',
    message: /^cannot read btree:.*: not a directory/i,
  })
  t.end()
})
