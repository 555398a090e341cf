import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MainConfig } from '@posthorn/config/main-config'
import t from 'tap'
import type { MaybePromise } from './lookup-table.ts'
import { AddressList, DomainList, StringList } from './match-list.ts'
import { TableUnavailableError } from './table-error.ts'

const context = { config: MainConfig.of({ compatibility_level: '3.7' }) }

function domains(text: string, title = 'some_domains'): (name: string) => MaybePromise<boolean> {
  const list = DomainList.open(title, text, context)
  return (name): MaybePromise<boolean> => list.matches(name)
}

t.test('DomainList matches names, subdomains, tables, and what is not negated', (t) => {
  const plain = domains('Example.com, .sub.example')
  t.equal(plain('EXAMPLE.COM'), true)
  t.equal(plain('x.example.com'), false)
  t.equal(plain('a.sub.example'), true)
  t.equal(plain('sub.example'), false)
  const parents = domains('example.com', 'relay_domains')
  t.equal(parents('a.b.example.com'), true)
  t.equal(parents('anexample.com'), false)
  const table = domains('inline:{a.example=x, .b.example=y}')
  t.equal(table('A.example'), true)
  t.equal(table('x.a.example'), false)
  t.equal(table('x.y.b.example'), true)
  t.equal(domains('inline:{b.example=y}', 'relay_domains')('x.b.example'), true)
  const negated = domains('!not.example.com, .example.com, !!other')
  t.equal(negated('not.example.com'), false)
  t.equal(negated('yes.example.com'), true)
  t.equal(negated('other'), true)
  t.equal(domains('')('x'), false)
  const exact = domains('example.com, .sub.example, inline:{a.example=x}', 'mydestination')
  t.equal(exact('Example.com'), true)
  t.equal(exact('a.sub.example'), false, 'mydestination has no subdomains')
  t.equal(exact('x.a.example'), false)
  t.end()
})

t.test('lists read files, and defer when they cannot', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-match-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  writeFileSync(join(directory, 'list'), '# note\na.example b.example\n  !c.example\nstatic:all\n')
  const list = domains(`!${directory}/list`)
  t.equal(list('a.example'), false)
  t.equal(domains(`${directory}/list`)('c.example'), false)
  t.equal(domains(`${directory}/list`)('d.example'), true)
  t.throws((): MaybePromise<boolean> => domains('/no/such/file')('x'), TableUnavailableError)
  t.equal(domains('x, /no/such/file')('x'), true)
  t.throws((): MaybePromise<boolean> => domains('fail:x')('x'), TableUnavailableError)
  t.end()
})

t.test('StringList matches words', (t) => {
  const list = StringList.open(
    'smtpd_forbidden_commands',
    'CONNECT GET regexp:{{/^[^A-Z]/ bogus}}',
    context,
  )
  t.equal(list.matches('connect'), true)
  t.equal(list.matches('EHLO'), false)
  t.end()
})

t.test('AddressList matches addresses, networks and names', (t) => {
  const list = AddressList.open(
    'mynetworks',
    '127.0.0.0/8 [::1]/128 [2001:db8::]/32 !192.0.2.1 192.0.2.0/24, host.example cidr:{{203.0.113.0/24 x}}',
    context,
  )
  const cases: [string, string | undefined, boolean][] = [
    ['127.1.2.3', undefined, true],
    ['::1', undefined, true],
    ['0:0::1', undefined, true],
    ['::ffff:127.0.0.1', undefined, false],
    ['2001:DB8:1::5', undefined, true],
    ['192.0.2.1', undefined, false],
    ['192.0.2.2', undefined, true],
    ['203.0.113.9', undefined, true],
    ['198.51.100.1', undefined, false],
    ['198.51.100.1', 'HOST.example', true],
    ['198.51.100.1', 'unknown', false],
  ]
  for (const [address, name, wanted] of cases) t.equal(list.matches(address, name), wanted, address)
  const bad = AddressList.open('mynetworks', '10.0.0.1/8', context)
  t.throws((): MaybePromise<boolean> => bad.matches('10.0.0.1'), {
    message:
      'mynetworks: non-null host address bits in "10.0.0.1/8", perhaps you should use "10.0.0.0/8" instead',
  })
  t.end()
})
