import { MainConfig } from '@posthorn/config/main-config'
import t from 'tap'
import { ABSENT, found, type LookupResult, type LookupTable } from './lookup-table.ts'
import { MapList, type AddressRules } from './map-list.ts'

const context = { config: MainConfig.of({ compatibility_level: '3.7' }) }
const rules: AddressRules = {
  extensions: { delimiters: '+', isOwnerRequestSpecial: true },
  isLocalDomain: (domain) => domain === 'here.example',
}

/** A table that has nothing and notes what it is asked. */
function recorder(options: { isPattern: boolean; isSlow?: boolean }): {
  table: LookupTable
  keys: string[]
} {
  const keys: string[] = []
  const find = (key: string): LookupResult | Promise<LookupResult> => {
    keys.push(key)
    return options.isSlow ? Promise.resolve(ABSENT) : ABSENT
  }
  return { table: { name: 'test:x', isPattern: options.isPattern, find }, keys }
}

t.test('MapList.findAddress() tries an address and its parts in order', async (t) => {
  for (const isSlow of [false, true]) {
    const { table, keys } = recorder({ isPattern: false, isSlow })
    const maps = new MapList('test_maps', [table])
    t.same(await maps.findAddress('User+ext@here.example', rules), ABSENT)
    t.same(keys.splice(0), [
      'User+ext@here.example',
      'User@here.example',
      'User+ext',
      'User',
      '@here.example',
    ])
    await maps.findAddress('user+ext@there.example', rules)
    t.same(keys.splice(0), ['user+ext@there.example', 'user@there.example', '@there.example'])
    await maps.findAddress('user', rules)
    t.same(keys.splice(0), ['user'])
    await maps.findAddress('us er@there.example', rules)
    t.same(keys.splice(0), ['"us er"@there.example', 'us er@there.example', '@there.example'])
    await maps.findAddress('owner-list+x@there.example', rules)
    t.equal(keys.splice(0).length, 3)
  }
})

t.test('MapList.findAddress() gives tables of patterns the whole address only', async (t) => {
  const { table, keys } = recorder({ isPattern: true })
  await new MapList('test_maps', [table]).findAddress('user+ext@here.example', rules)
  t.same(keys, ['user+ext@here.example'])
})

t.test('MapList.findAddress() tells which extension the key left out', (t) => {
  const maps = MapList.open('test_maps', 'inline:{ a@x=one, b+c@x=two, @y=three }', context)
  t.same(maps.findAddress('A+Ext@X', rules), { kind: 'found', value: 'one', extension: '+Ext' })
  t.same(maps.findAddress('b+c@x', rules), { kind: 'found', value: 'two', extension: '' })
  t.same(maps.findAddress('d+e@y', rules), { kind: 'found', value: 'three', extension: '' })
  t.end()
})

t.test('MapList.find(): the first table that knows decides, a failure ends the search', (t) => {
  const maps = (text: string): MapList => MapList.open('test_maps', text, context)
  t.same(maps('inline:{a=1}, inline:{a=2}').find('a'), found('1'))
  t.same(maps('inline:{b=1} inline:{a=2}').find('a'), found('2'))
  t.match(maps('fail:x, inline:{a=2}').find('a'), { kind: 'tryAgain' })
  t.match(maps('inline:{a=1}, fail:x').find('a'), found('1'))
  t.match(maps('inline:{{a=}} inline:{a=1}').find('a'), { kind: 'tryAgain' }, 'an empty value')
  t.equal(maps('').isEmpty, true)
  t.same(maps('regexp:{{/a/ x}}').findPart('a'), ABSENT)
  t.end()
})
