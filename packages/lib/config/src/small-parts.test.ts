import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parseCompatibilityLevel } from './compatibility-level.ts'
import { requireAuthorizedDirectory, selectConfigDirectory } from './config-directory.ts'
import { filteredEnvironment } from './environment.ts'
import { hostnameFault } from './hostname-fault.ts'
import { MainConfig } from './main-config.ts'
import { findParameter, parameterNames } from './parameter-registry.ts'
import { splitList } from './split-list.ts'

t.test('splitList() splits at blanks and commas, and keeps braces together', (t) => {
  t.same(splitList(' a, b\tc,,d\n'), ['a', 'b', 'c', 'd'])
  t.same(splitList('inline:{ a=b, {c = d} } static:x'), ['inline:{ a=b, {c = d} }', 'static:x'])
  t.same(splitList('a} b{ c'), ['a}', 'b{ c'])
  t.same(splitList(''), [])
  t.end()
})

t.test('parseCompatibilityLevel() orders releases', (t) => {
  const order = ['0', '1', '2', '3.6', '3.6.1', '3.10', '4'].map(parseCompatibilityLevel)
  t.same(
    order,
    [...order].sort((a, b) => (a ?? 0) - (b ?? 0)),
  )
  for (const bad of ['', 'x', '3.', '3.1024', '1.2.3.4', ' 3', '9999999999999999']) {
    t.equal(parseCompatibilityLevel(bad), undefined, bad)
  }
  t.end()
})

t.test('hostnameFault() has the words of Postfix', (t) => {
  t.equal(hostnameFault('mx_1.ex-ample.com'), undefined)
  t.equal(hostnameFault(''), 'empty hostname')
  t.equal(hostnameFault('a_b..c'), 'misplaced delimiter: a_b..c')
  t.equal(hostnameFault('vm.-x'), 'misplaced hyphen: vm.-x')
  t.equal(hostnameFault('vm-.x'), 'misplaced hyphen: vm-.x')
  t.equal(hostnameFault('1.2.3.4'), 'numeric hostname: 1.2.3.4')
  t.equal(hostnameFault('[1.2.3.4]'), 'invalid character 91(decimal): [1.2.3.4]')
  t.match(hostnameFault('a'.repeat(64)), 'hostname label too long')
  t.end()
})

t.test('filteredEnvironment() lets through what the list names', (t) => {
  const config = MainConfig.of({ import_environment: 'TZ, LANG=C {A = b c} MISSING' })
  const result = filteredEnvironment(config, 'import_environment', { TZ: 'UTC', SECRET: 'x' })
  t.same(result, { TZ: 'UTC', LANG: 'C', A: 'b c' })
  const bad = MainConfig.of({ export_environment: '{A = b' })
  t.throws(() => filteredEnvironment(bad, 'export_environment'), {
    message: `export_environment: missing '}' in "{A = b"`,
  })
  t.end()
})

t.test('selectConfigDirectory() and requireAuthorizedDirectory()', (t) => {
  t.equal(selectConfigDirectory({}), '/etc/postfix')
  t.equal(selectConfigDirectory({ MAIL_CONFIG: '/x' }), '/x')
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-directory-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  writeFileSync(join(directory, 'main.cf'), 'multi_instance_directories = /etc/a,\n  /etc/b\n')
  t.doesNotThrow(() => {
    requireAuthorizedDirectory('/etc/b', directory)
  })
  t.throws(() => {
    requireAuthorizedDirectory('/etc/c', directory)
  }, /specify "alternate_config_directories = \/etc\/c"/)
  t.end()
})

t.test('the registry has each name once', (t) => {
  const names = parameterNames()
  t.equal(new Set(names).size, names.length)
  t.ok(names.length > 800)
  t.match(findParameter('service_worker_limit'), { type: 'integer', spec: { default: '0' } })
  t.equal(findParameter('toString'), undefined)
  t.end()
})
