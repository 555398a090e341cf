/**
 * client-counts.test - counts and rates on a virtual clock
 */
import t from 'tap'
import { ClientCounts, type Watcher } from './client-counts.ts'

function newCounts() {
  const clock = { ms: 1_000_000 }
  return { clock, counts: new ClientCounts({ intervalMs: 60_000, now: () => clock.ms }) }
}
const newWatcher = (): Watcher => ({ current: undefined })

t.test('connections add up over watchers, and go when these let go', (t) => {
  const { counts } = newCounts()
  const [a, b] = [newWatcher(), newWatcher()]
  t.equal(counts.connect(a, 'x').count, 1)
  t.equal(counts.connect(b, 'x').count, 2)
  t.equal(counts.find('x').rates.connect, 2)
  counts.release(a)
  t.equal(counts.find('x').count, 1)
  counts.disconnect(b, 'other')
  t.equal(counts.find('x').count, 1, 'not its client')
  counts.disconnect(b, 'x')
  counts.disconnect(b, 'x')
  t.equal(counts.find('x').count, 0)
  t.end()
})

t.test('a watcher holds only the client it was last asked about', (t) => {
  const { counts } = newCounts()
  const a = newWatcher()
  counts.connect(a, 'x')
  t.equal(counts.connect(a, 'x').count, 1)
  counts.connect(a, 'y')
  t.equal(counts.find('x').count, 0)
  t.equal(counts.find('x').rates.connect, 2)
  t.end()
})

t.test('counting for an unknown client is a connect, for a known one it is not', (t) => {
  const { counts } = newCounts()
  const [a, b] = [newWatcher(), newWatcher()]
  counts.count(a, 'message', 'z')
  t.match(counts.find('z'), { count: 1, rates: { connect: 1, message: 1 } })
  counts.count(b, 'message', 'z')
  t.match(counts.find('z'), { count: 1, rates: { connect: 1, message: 2 } })
  t.end()
})

t.test('rates start again with the next interval, counts do not', (t) => {
  const { clock, counts } = newCounts()
  const a = newWatcher()
  counts.connect(a, 'x')
  counts.count(a, 'auth', 'x')
  clock.ms += 59_999
  t.equal(counts.count(a, 'auth', 'x').rates.auth, 2)
  clock.ms += 1
  t.match(counts.find('x'), { count: 1, rates: { connect: 0, auth: 0 } })
  t.match(counts.count(a, 'auth', 'x'), { count: 1, rates: { connect: 0, auth: 1 } })
  t.end()
})

t.test('forgetOld() forgets who is neither connected nor recent', (t) => {
  const { clock, counts } = newCounts()
  const [a, b] = [newWatcher(), newWatcher()]
  counts.connect(a, 'connected')
  counts.connect(b, 'gone')
  counts.release(b)
  counts.forgetOld()
  t.equal(counts.size, 2)
  clock.ms += 60_000
  counts.forgetOld()
  t.equal(counts.size, 1)
  t.equal(counts.find('connected').count, 1)
  t.end()
})
