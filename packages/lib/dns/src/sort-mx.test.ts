import fc from 'fast-check'
import t from 'tap'
import { AnswerCache } from './answer-cache.ts'
import { sortMx } from './sort-mx.ts'

t.test('sortMx() sorts by preference and keeps every record', (t) => {
  const record = fc.record({
    preference: fc.nat(3),
    host: fc.string(),
    name: fc.constant('a.test'),
    ttlSeconds: fc.constant(1),
  })
  fc.assert(
    fc.property(fc.array(record), (records) => {
      const sorted = sortMx(records)
      t.ok(
        sorted.every((one, at) => at === 0 || one.preference >= (sorted[at - 1]?.preference ?? 0)),
      )
      t.same(new Set(sorted), new Set(records))
    }),
    { numRuns: 50 },
  )
  t.end()
})

t.test('AnswerCache forgets by time and by number', (t) => {
  const cache = new AnswerCache(2)
  const answer = { kind: 'notFound', name: 'x', reason: '' } as const
  cache.store('a', answer, 10, 0)
  cache.store('b', answer, 100_000, 0)
  t.same(cache.find('a', 9999), answer)
  t.equal(cache.find('a', 10_000), undefined)
  t.equal(cache.find('b', 900_000), undefined, 'negative answers are capped')
  for (const key of ['c', 'd', 'e']) cache.store(key, answer, 10, 0)
  t.equal(cache.find('c', 0), undefined)
  t.same(cache.find('e', 0), answer)
  t.end()
})
