/**
 * address-cache.test - results, refresh and expiry on a virtual clock
 */
import { captureLog } from '@posthorn/log/capture-log'
import t from 'tap'
import { AddressCache } from './address-cache.ts'
import { CacheFile } from '@posthorn/tables/cache-file'
import { formatVerifyEntry, parseVerifyEntry } from './verify-entry.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

const day = 86_400

function newCache(keepsNegative = true) {
  const clock = { seconds: 1_795_227_424 }
  const file = new CacheFile({ path: undefined })
  const cache = new AddressCache(file, {
    positiveExpireSeconds: 31 * day,
    positiveRefreshSeconds: 7 * day,
    negativeExpireSeconds: 3 * day,
    negativeRefreshSeconds: 3 * 3600,
    keepsNegative,
    now: () => clock.seconds * 1000,
  })
  return { clock, file, cache }
}
const progress = 'Address verification in progress'

t.test('parseVerifyEntry() takes what formatVerifyEntry() writes, and nothing else', (t) => {
  const entry = { status: 2, probedSeconds: 0, updatedSeconds: 1795216301, text: 'no: such' }
  t.equal(formatVerifyEntry(entry), '2:0:1795216301:no: such')
  t.same(parseVerifyEntry('2:0:1795216301:no: such'), entry)
  for (const bad of [
    '',
    '2',
    '2:0',
    '2:0:1',
    '4:0:1:x',
    '2:0:0:x',
    '-1:0:1:x',
    'a:0:1:x',
    '2:x:1:x',
  ]) {
    t.equal(parseVerifyEntry(bad), undefined, bad)
  }
  t.end()
})

t.test('an unknown address is in progress, and probed once', (t) => {
  const { clock, file, cache } = newCache()
  t.same(cache.query('u@x'), { status: 3, text: progress, needsProbe: true })
  cache.probeSent('u@x')
  t.equal(file.find('u@x'), `3:1795227424:0:${progress}`)
  t.same(cache.query('u@x'), { status: 3, text: progress, needsProbe: false })
  clock.seconds += 1001
  t.ok(cache.query('u@x').needsProbe, 'a lost probe is repeated')
  t.end()
})

t.test('a result is an answer; a good one is not replaced by a bad one', (t) => {
  const { clock, file, cache } = newCache()
  cache.probeSent('u@x')
  cache.update('u@x', 2, 'no such')
  t.same(cache.query('u@x'), { status: 2, text: 'no such', needsProbe: false })
  cache.update('u@x', 0, 'fine')
  cache.update('u@x', 2, 'bad now')
  t.same(cache.query('u@x'), { status: 0, text: 'fine', needsProbe: false })
  t.equal(file.find('u@x'), '0:0:1795227424:fine')
  clock.seconds += 31 * day + 1
  cache.update('u@x', 2, 'bad now')
  t.equal(cache.query('u@x').status, 2, 'but an expired one is')
  t.end()
})

t.test('results are refreshed while they are believed, and then expire', (t) => {
  for (const [status, refresh, expire] of [
    [0, 7 * day, 31 * day],
    [1, 3 * 3600, 3 * day],
    [2, 3 * 3600, 3 * day],
  ] as const) {
    const { clock, cache } = newCache()
    cache.update('u@x', status, 'text')
    clock.seconds += refresh
    t.same(cache.query('u@x'), { status, text: 'text', needsProbe: false })
    clock.seconds += 1
    t.same(cache.query('u@x'), { status, text: 'text', needsProbe: true })
    cache.probeSent('u@x')
    t.same(cache.query('u@x'), { status, text: 'text', needsProbe: false })
    clock.seconds += expire - refresh
    t.same(cache.query('u@x'), { status: 3, text: progress, needsProbe: true })
  }
  t.end()
})

t.test('without a negative cache, a probe for an unknown address is not remembered', (t) => {
  const { file, cache } = newCache(false)
  cache.probeSent('u@x')
  t.equal(file.size, 0)
  t.ok(cache.query('u@x').needsProbe)
  cache.update('u@x', 2, 'no')
  t.equal(cache.query('u@x').status, 2)
  t.end()
})

t.test('a probe that could not be posted is undone, unless there is news', (t) => {
  const { clock, file, cache } = newCache()
  cache.probeFailed('u@x', cache.probeSent('u@x'))
  t.equal(file.find('u@x'), undefined)
  cache.update('u@x', 0, 'fine')
  clock.seconds += 8 * day
  cache.probeFailed('u@x', cache.probeSent('u@x'))
  t.ok(cache.query('u@x').needsProbe)
  const sent = cache.probeSent('u@x')
  cache.update('u@x', 0, 'fresh')
  cache.probeFailed('u@x', sent)
  t.equal(cache.query('u@x').text, 'fresh')
  t.end()
})

t.test('cleanUp() drops what has expired and what is no entry', async (t) => {
  const { clock, file, cache } = newCache()
  t.equal(cache.secondsSinceCleanUp(), Infinity)
  cache.update('good@x', 0, 'fine')
  cache.update('bad@x', 2, 'no')
  file.set('rubbish@x', 'rubbish')
  clock.seconds += 4 * day
  cache.probeSent('probed@x')
  t.same(await cache.cleanUp(), { retained: 2, dropped: 2 })
  t.equal(cache.secondsSinceCleanUp(), 0)
  t.same(
    [...file.entries()].map(([key]) => key),
    ['good@x', 'probed@x', '_LAST_CACHE_CLEANUP_COMPLETED_'],
  )
  t.match(logged.lines, ['warning: bad address verify table entry: rubbish'])
  cache.update('_LAST_CACHE_CLEANUP_COMPLETED_', 0, 'an address like this')
  t.equal(cache.secondsSinceCleanUp(), 0)
  t.end()
})
