/**
 * cache-file.test - what is written is read again, also after a crash
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { captureLog } from '@posthorn/log/capture-log'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import t from 'tap'
import { CacheFile } from './cache-file.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

function load(path: string): CacheFile {
  const file = new CacheFile({ path })
  file.load()
  return file
}

t.test('changes survive, line by line', async (t) => {
  const path = join(temporaryDirectory(t), 'cache')
  const file = load(path)
  file.set('a', '1')
  file.set('b\n"\xe9', '2')
  file.set('a', '3')
  file.set('c', '4')
  file.delete('c')
  file.delete('never')
  await file.close()
  const again = load(path)
  t.same(
    [...again.entries()],
    [
      ['b\n"\xe9', '2'],
      ['a', '3'],
    ].sort((x, y) => (x[0] === 'a' ? -1 : y[0] === 'a' ? 1 : 0)),
  )
  t.equal(readFileSync(path, 'latin1').split('\n').length, 6)

  await again.compact()
  t.notOk(existsSync(`${path}.tmp`))
  t.equal(readFileSync(path, 'latin1').split('\n').length, 3)
  t.equal(load(path).find('a'), '3')
})

t.test('lines that a crash left behind are passed over', (t) => {
  const path = join(temporaryDirectory(t), 'cache')
  appendFileSync(path, '["a","1"]\nrubbish\n{"a":1}\n[1,2]\n[]\n["b"]\n["c","half')
  const file = load(path)
  t.same([...file.entries()], [['a', '1']])
  t.end()
})

t.test('writes happen by themselves, in order, while more come', async (t) => {
  const path = join(temporaryDirectory(t), 'cache')
  const file = load(path)
  for (let count = 0; count < 100; count += 1) {
    file.set('key', String(count))
    if (count % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await file.compact()
  file.set('key', 'last')
  await file.close()
  t.equal(load(path).find('key'), 'last')
})

t.test('the oldest entry goes when there are too many', (t) => {
  const file = new CacheFile({ path: undefined, entriesLimit: 2 })
  for (const key of ['a', 'b', 'a', 'c']) file.set(key, key)
  t.same(
    [...file.entries()].map(([key]) => key),
    ['a', 'c'],
  )
  t.end()
})

t.test('a disk that fails costs the file, not the cache', async (t) => {
  const file = new CacheFile({ path: '/nonexistent/cache' })
  file.load()
  file.set('a', '1')
  await file.compact()
  file.set('b', '2')
  await file.close()
  t.equal(file.find('a'), '1')
  t.ok(logged.lines.some((line) => line.includes('cannot write /nonexistent/cache')))
})
