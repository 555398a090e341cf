/**
 * recent-traffic.test - remembered once, for a second, and not without end
 */
import t from 'tap'
import { RecentTraffic } from './recent-traffic.ts'

t.test('take() gives what was remembered, once', (t) => {
  const recent = new RecentTraffic()
  t.equal(recent.take('x.test'), 0)
  recent.remember('x.test', 100)
  recent.remember('x.test', 101)
  t.equal(recent.take('x.test'), 101)
  t.equal(recent.take('x.test'), 0)
  t.end()
})

t.test('remember() forgets what is over, and the oldest beyond the limit', (t) => {
  const recent = new RecentTraffic(3)
  for (const [at, name] of ['a', 'b', 'c', 'd'].entries()) recent.remember(name, 100 + (at >> 2))
  t.equal(recent.size, 3)
  t.equal(recent.take('a'), 0)
  recent.remember('e', 102)
  t.equal(recent.size, 1)
  t.equal(recent.take('e'), 102)
  t.end()
})
