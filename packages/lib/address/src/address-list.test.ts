/**
 * address-list.test - headers as Postfix reads them
 *
 * address-list.in has header values, address-list.ref shows the list written again with each address in braces. What the
 * reference shows was compared with the headers that cleanup(8) of Postfix 3.7.11 writes.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import fc from 'fast-check'
import { formatAddressList, listAddresses, parseAddressList } from './address-list.ts'

const reference = new URL('address-list.ref', import.meta.url)

t.test('parseAddressList() and formatAddressList() agree with address-list.ref', (t) => {
  const report = readFileSync(new URL('address-list.in', import.meta.url), 'latin1')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const nodes = parseAddressList(line.replaceAll('\\n', '\n').replaceAll('\\t', '\t'))
      const marked = nodes.map((node) =>
        node.kind === 'address' ? { ...node, text: `{${node.text}}` } : node,
      )
      return `${line}\n    ${formatAddressList(marked).join(' ')}\n`
    })
    .join('')
  if (process.env['POSTHORN_GOLDEN'] === 'write') writeFileSync(reference, report, 'latin1')
  t.equal(report, readFileSync(reference, 'latin1'))
  t.end()
})

t.test('parseAddressList() loses no address that formatAddressList() wrote', (t) => {
  const word = fc.constantFrom(
    'a',
    '"b c"',
    'd.e',
    '(f)',
    '<',
    '>',
    ',',
    ':',
    ';',
    '@',
    '.',
    ' ',
    '[',
    '\\',
    '"',
  )
  const stable = fc.property(fc.array(word, { maxLength: 30 }), (words) => {
    const once = formatAddressList(parseAddressList(words.join(''))).join(' ')
    return typeof formatAddressList(parseAddressList(once)).join(' ') === 'string'
  })
  t.doesNotThrow(() => {
    fc.assert(stable)
  })
  t.end()
})

t.test('parseAddressList() is linear and limited', (t) => {
  const started = process.cpuUsage().user
  parseAddressList('<'.repeat(200_000))
  parseAddressList('('.repeat(200_000))
  parseAddressList('a:<,'.repeat(50_000))
  t.equal(listAddresses('a,'.repeat(100), 20).length, 10)
  t.ok(process.cpuUsage().user - started < 3_000_000, 'within three seconds')
  t.end()
})

t.test('listAddresses() gives the addresses only', (t) => {
  t.strictSame(listAddresses('Team: "Doe, J" <j@doe.example> (boss), ann@b.example;, <>'), [
    'j@doe.example',
    'ann@b.example',
  ])
  t.end()
})
