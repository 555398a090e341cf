/**
 * session-cache.test - what is remembered, for how long and how much of it, on a virtual clock
 */
import t from 'tap'
import { SessionCache } from './session-cache.ts'

function newCache(octetsLimit?: number) {
  const clock = { ms: 1_795_227_424_000 }
  const limits = octetsLimit === undefined ? {} : { octetsLimit }
  const cache = new SessionCache({ lifeSeconds: 120, ...limits, now: () => clock.ms })
  return { clock, cache }
}

t.test('a session is found until it has expired, and not after', (t) => {
  const { clock, cache } = newCache()
  cache.set('a', 'one')
  clock.ms += 120_000
  t.equal(cache.find('a'), 'one')
  clock.ms += 1
  t.equal(cache.find('a'), undefined)
  t.equal(cache.size, 0, 'it was dropped')
  t.end()
})

t.test('a session that is stored again lives again', (t) => {
  const { clock, cache } = newCache()
  cache.set('a', 'one')
  cache.set('b', 'two')
  clock.ms += 100_000
  cache.set('a', 'three')
  clock.ms += 100_000
  cache.dropExpired()
  t.equal(cache.size, 1)
  t.equal(cache.find('a'), 'three')
  t.end()
})

t.test('delete() says whether there was one', (t) => {
  const { cache } = newCache()
  cache.set('a', 'one')
  t.equal(cache.delete('a'), true)
  t.equal(cache.delete('a'), false)
  t.equal(cache.find('a'), undefined)
  t.end()
})

t.test('beyond the limit the oldest go', (t) => {
  const { cache } = newCache(30)
  for (const id of ['a', 'b', 'c', 'a', 'd']) cache.set(id, '123456789')
  t.equal(cache.size, 3)
  t.equal(cache.find('b'), undefined)
  t.equal(cache.find('a'), '123456789')
  cache.set('big', 'x'.repeat(40))
  t.equal(cache.size, 0, 'not even a session of its own may be larger')
  t.end()
})
