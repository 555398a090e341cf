/**
 * policy-cache.test - what is kept, for how long, and what a flood can push out
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CacheFile } from '@posthorn/tables/cache-file'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import t from 'tap'
import { PolicyCache } from './policy-cache.ts'
import { formatEntry, parseEntry } from './policy-entry.ts'
import type { StsMode, StsPolicy } from './sts-policy.ts'

const DAY = 86_400

function policy(mode: StsMode = 'enforce', maxAgeSeconds = 7 * DAY): StsPolicy {
  return { mode, mxPatterns: ['mx.example.test', '*.example.net'], maxAgeSeconds }
}

function open(path?: string, entriesLimit = 3) {
  const clock = { seconds: 1_000_000 }
  const file = new CacheFile({ path, entriesLimit: Infinity })
  file.load()
  return { clock, cache: new PolicyCache(file, { entriesLimit, now: () => clock.seconds }) }
}

t.test('a policy is there until it expires, also for another process', async (t) => {
  const path = join(temporaryDirectory(t), 'cache')
  const { cache, clock } = open(path)
  cache.store('a.test', 'id1', policy())
  cache.store('short.test', 'id1', policy('enforce', 10))
  clock.seconds += 9
  t.match(cache.find('short.test'), { id: 'id1' })
  clock.seconds += 1
  t.equal(cache.find('short.test'), undefined)
  await cache.close()

  appendFileSync(path, '["bad.test","{}"]\n["worse.test","{"]\n["cut.test","{\\"id\\":')
  const again = open(path)
  t.match(again.cache.find('a.test'), {
    id: 'id1',
    policy: policy(),
    fetchedSeconds: 1_000_000,
  })
  t.equal(again.cache.size, 1)
  again.clock.seconds += 7 * DAY
  t.equal(again.cache.find('a.test'), undefined)
  await again.cache.close()
})

t.test('when a policy was last used is known to another process, to the day', async (t) => {
  const path = join(temporaryDirectory(t), 'cache')
  const { cache, clock } = open(path)
  cache.store('a.test', 'id1', policy())
  for (let day = 0; day < 3; day++) {
    clock.seconds += DAY
    for (let use = 0; use < 10; use++) cache.noteUse('a.test')
  }
  await cache.close()
  t.equal(readFileSync(path, 'latin1').split('\n').length, 5, 'one line a day')
  const again = open(path)
  t.match(again.cache.find('a.test'), { knownSeconds: 1_000_000, usedSeconds: clock.seconds })
  await again.cache.close()
})

t.test('an entry survives its text; what is damaged is none', (t) => {
  const times = { fetchedSeconds: 1, knownSeconds: 2, usedSeconds: 3 }
  const entry = { id: 'x', policy: policy(), ...times }
  const text = formatEntry(entry)
  t.same(parseEntry(text), entry)
  for (const [from, to] of [
    ['"id":"x"', '"id":1'],
    ['enforce', 'force'],
    ['mx.example.test', 'mx example.test'],
    ['604800', '1e99'],
    ['604800', '999999999'],
    ['"fetchedSeconds":1', '"fetchedSeconds":-1'],
    ['"usedSeconds":3', '"usedSeconds":"3"'],
  ] as const) {
    t.equal(parseEntry(text.replace(from, to)), undefined, to)
  }
  for (const other of ['', 'null', '[]', '1', '"x"']) t.equal(parseEntry(other), undefined, other)
  t.end()
})

t.test('a flood of policies does not push out those that mail goes to', async (t) => {
  const { cache, clock } = open()
  cache.store('bank.test', 'id', policy())
  cache.store('testing.test', 'id', policy('testing'))
  clock.seconds += 2 * DAY
  cache.noteUse('bank.test')
  cache.noteUse('testing.test')
  for (let at = 0; at < 20; at++) {
    clock.seconds += 1
    t.equal(cache.store(`flood${at}.test`, 'id', policy()), true)
  }
  // the newest of the flood, and what is proven
  t.match(cache.find('bank.test'), { id: 'id' })
  t.equal(cache.find('testing.test'), undefined)
  t.same(
    cache.entries().map(([domain]) => domain),
    ['bank.test', 'flood18.test', 'flood19.test'],
  )
  // what does not enforce finds no room where all enforce
  t.equal(cache.store('none.test', 'id', policy('none')), false)
  clock.seconds += DAY
  for (const [domain] of cache.entries()) cache.noteUse(domain)
  t.equal(cache.store('late.test', 'id', policy()), false)
  t.equal(cache.size, 3)
  // a domain that is in has its new policy all the same
  t.equal(cache.store('bank.test', 'id2', policy()), true)
  // the flood expires, bank.test was refreshed
  clock.seconds += 6 * DAY + 1
  t.equal(cache.store('late.test', 'id', policy()), true)
  t.match(cache.find('bank.test'), { id: 'id2' })
  await cache.close()
})

t.test('the file is written anew when most of it is past', async (t) => {
  const path = join(temporaryDirectory(t), 'cache')
  const { cache } = open(path)
  for (let at = 0; at < 1100; at++) cache.store('a.test', `id${at}`, policy())
  await cache.tidy()
  t.equal(readFileSync(path, 'latin1').split('\n').length, 2)
  await cache.close()
})
