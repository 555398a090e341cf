import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { expandMacros, MacroError } from './expand-macros.ts'

const values = new Map([
  ['x', 'yy'],
  ['empty', ''],
  ['nested', '<$x>'],
  ['indirect', '$empty'],
  ['loop', 'a $loop2'],
  ['loop2', 'b $loop'],
  ['broken', 'ok'],
])

/** postconf shows runs of white space as one blank. */
function shown(text: string): string {
  const scope = new Map([...values, ['myorigin', text]])
  try {
    const value = expandMacros('$myorigin', (name) => scope.get(name))
    return `= ${value.replace(/\s+/g, ' ').trim()}`.trimEnd()
  } catch (error) {
    if (error instanceof MacroError) return `! ${error.message}`
    throw error
  }
}

t.test('expandMacros() says what postconf -x of Postfix 3.7.11 says in expand-macros.ref', (t) => {
  const reference = readFileSync(new URL('expand-macros.ref', import.meta.url), 'latin1')
  const lines = reference.split('\n')
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const text = lines[at] ?? ''
    t.equal(shown(text), lines[at + 1]?.trim(), text)
  }
  t.end()
})

t.test('expandMacros() visits both branches when asked to', (t) => {
  const seen: string[] = []
  const note = (name: string): undefined => {
    seen.push(name)
  }
  expandMacros('$a ${b?{$c}:{$d}} ${{$e} == {$f}:$g}', note, { visitsAll: true })
  t.same(seen, ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  t.end()
})

t.test('expandMacros() leaves text alone, and ends on any text', (t) => {
  const find = (name: string): string | undefined => values.get(name)
  const holds = fc.property(fc.string(), (text) => {
    if (!text.includes('$')) return expandMacros(text, find) === text
    try {
      return typeof expandMacros(text, find) === 'string'
    } catch (error) {
      return error instanceof MacroError
    }
  })
  t.doesNotThrow(() => {
    fc.assert(holds)
  })
  t.end()
})

t.test('expandMacros() knows domain_to_ascii', (t) => {
  const find = (name: string): string | undefined => values.get(name)
  const octets = (text: string): string => Buffer.from(text).toString('latin1')
  t.equal(expandMacros('.${domain_to_ascii{$x.test}}', find), '.yy.test')
  t.equal(expandMacros(octets('${domain_to_ascii { bücher.test }}'), find), 'xn--bcher-kva.test')
  t.throws(() => expandMacros('${domain_to_ascii{a} b}', find), MacroError)
  t.throws(() => expandMacros('${x{a}}', find), MacroError)
  t.end()
})
