import { readFileSync } from 'node:fs'
import { MainConfig } from '@posthorn/config/main-config'
import t from 'tap'
import type { LookupTable } from './lookup-table.ts'
import { openTable } from './open-table.ts'

const config = MainConfig.of({ compatibility_level: '3.7' })
const fixtures = new URL('fixtures/', import.meta.url).pathname

function open(reference: string): LookupTable {
  return openTable(reference, { config })
}

async function look(table: LookupTable, key: string): Promise<string> {
  const answer = await table.find(key)
  switch (answer.kind) {
    case 'found':
      return answer.value
    case 'absent':
      return '-'
    case 'tryAgain':
      return 'ERR'
  }
}

t.test('openTable() answers as postmap -q in open-table.ref', async (t) => {
  const reference = readFileSync(new URL('open-table.ref', import.meta.url), 'latin1')
  const tables = new Map<string, LookupTable>()
  const differences: string[] = []
  for (const line of reference.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [name = '', key = '', wanted = ''] = line.split('\t')
    const table = tables.get(name) ?? open(name)
    tables.set(name, table)
    const given = await look(table, key)
    if (given !== wanted) differences.push(`${name} ${key}: ${wanted}, not ${given}`)
  }
  t.same(differences, [])
})

for (const type of ['hash', 'btree']) {
  t.test(`openTable() reads ${type} files that postmap(1) made`, async (t) => {
    const table = open(`${type}:${fixtures}people-${type}`)
    const keys = ['key0', 'KEY59', 'key60', '"quoted key"', 'a\\ b', 'user@example.com']
    t.same(await Promise.all(keys.map(async (key) => look(table, key))), [
      'value number 0',
      'value number 59',
      '-',
      'v1',
      'v2',
      'other@example.com,   more@example.com',
    ])
    t.equal(await look(table, 'long'), `${'x y '.repeat(2500)}z`, 'an item on overflow pages')
  })
}

t.test('openTable() reads alias databases, without the notes in them', async (t) => {
  const table = open(`hash:${fixtures}aliases-hash`)
  t.equal(await look(table, 'postmaster'), 'root, "x y"@z')
  t.equal(await look(table, 'prog'), '"|/bin/cat foo"')
  t.equal(await look(table, 'YP_LAST_MODIFIED'), '-')
})

t.test('openTable() answers in memory without a promise', (t) => {
  for (const name of ['static:x', 'inline:{a=x}', `hash:${fixtures}people-hash`]) {
    t.notOk(open(name).find('a') instanceof Promise, name)
  }
  t.end()
})

t.test('openTable() knows the users of this system', async (t) => {
  t.match(await look(open('unix:passwd.byname'), 'root'), /^root:x:0:0:/)
  t.equal(await look(open('unix:passwd.byname'), 'no-such-user'), '-')
  t.match(await look(open('unix:group.byname'), 'root'), /^root:x:0:/)
})

t.test('openTable() refuses what is no table', (t) => {
  for (const bad of ['hash:', ':foo']) {
    t.throws(() => open(bad), {
      message: `open dictionary: expecting "type:name" form instead of "${bad}"`,
    })
  }
  t.end()
})

t.test('openTable(): a table that cannot be opened fails, and says why', async (t) => {
  const answers = await Promise.all(
    ['foo:bar', 'hash:/no/such', 'regexp:/no/such', 'unix:foo'].map(async (name) =>
      open(name).find('x'),
    ),
  )
  t.same(answers, [
    { kind: 'tryAgain', reason: 'foo:bar is unavailable. unsupported dictionary type: foo' },
    {
      kind: 'tryAgain',
      reason: 'hash:/no/such is unavailable. open database /no/such.db: No such file or directory',
    },
    {
      kind: 'tryAgain',
      reason: 'regexp:/no/such is unavailable. open /no/such: No such file or directory',
    },
    { kind: 'tryAgain', reason: 'unix:foo is unavailable. unknown table: unix:foo' },
  ])
})

t.test('openTable(): foldsCase and forbidsSubstitution', async (t) => {
  const exact = openTable('inline:{Key=x}', { config, foldsCase: false })
  t.equal(await look(exact, 'Key'), 'x')
  t.equal(await look(exact, 'key'), '-')
  const safe = openTable('regexp:{{/(a)/ $$1}, {/b/ x$$y}}', { config, forbidsSubstitution: true })
  t.equal(await look(safe, 'a'), '$1', '$$ is a dollar')
  const rule = openTable('regexp:{{/(a)/ $1}, {/a/ plain}}', { config, forbidsSubstitution: true })
  t.equal(await look(rule, 'a'), 'plain')
})

t.test('pcre: what JavaScript writes differently', async (t) => {
  const cases: [string, string, string][] = [
    ['/^user$/ ok', 'USER', 'ok'],
    ['/^user$/i ok', 'USER', '-'],
    ['/\\Aab\\z/ ok', 'ab', 'ok'],
    ['/a\\h+b/ ok', 'a \tb', 'ok'],
    ['/(?P<name>x+)y/ <$1>', 'xxy', '<xx>'],
    ['/(?i)ABC/i ok', 'abc', 'ok'],
    ['/^[[:alpha:]\\d]+$/ ok', 'a1', 'ok'],
    ['/^[\\w.-]+@/ ok', 'a.b-c@d', 'ok'],
    ['/\\Qa.b\\E/ ok', 'a.b', 'ok'],
    ['/\\Qa.b\\E/ ok', 'axb', '-'],
    ['/a b # note/x ok', 'ab', 'ok'],
    ['/^b/A ok', 'ab', '-'],
    ['/(?>a+)b/ ok', 'aab', 'ok'],
    ['/(?>a+)ab/ ok', 'aab', '-'],
    ['/a++b/ ok', 'aab', 'ok'],
    ['/a++ab/ ok', 'aab', '-'],
    ['/(x)(?>(a|ab)c?)(d)\\3/ <$1$2$3>', 'xadd', '<xad>'],
    ['/(x)(a(b))++(c)\\4/ <$1$2$3$4>', 'xababcc', '<xabbc>'],
    ['/(a(?i)b)c/i <$1>', 'aBc', '<aB>'],
    ['/(a(?i)b)c/i <$1>', 'aBC', '-'],
    ['/(a(?R)?b)/ ok', 'ab', '-'],
    ['/(?P=n)/ ok', 'k<n>', '-'],
    ['/[[:^digit:]]{2}/ ok', '1ab', 'ok'],
    ['/x.y/ ok', 'x\ny', 'ok'],
  ]
  for (const [rule, key, wanted] of cases) {
    t.equal(await look(open(`pcre:{{${rule}}}`), key), wanted, rule)
  }
})
