/**
 * cache-statistics.test - the lines of a report, and when they are left out
 */
import t from 'tap'
import { CacheStatistics } from './cache-statistics.ts'

const start = new Date(2026, 10, 3, 23, 3, 5).getTime()

t.test('report() says nothing when nothing happened, and moves the interval', (t) => {
  const statistics = new CacheStatistics(0)
  t.same(statistics.report(start), [])
  statistics.countEndpoint(false)
  t.same(statistics.report(start + 1000), [
    'statistics: start interval Nov  3 23:03:05',
    'statistics: address lookup hits=0 miss=1 success=0%',
  ])
  t.end()
})

t.test('report() truncates percentages and resets everything', (t) => {
  const statistics = new CacheStatistics(start)
  statistics.countDestination(true)
  statistics.countDestination(false)
  statistics.countDestination(false)
  statistics.sampleKeys({ destinationCount: 1, endpointCount: 1, connectionCount: 9 })
  statistics.sampleConnections({ destinationCount: 9, endpointCount: 1, connectionCount: 4 })
  t.same(statistics.report(start), [
    'statistics: start interval Nov  3 23:03:05',
    'statistics: domain lookup hits=1 miss=2 success=33%',
    'statistics: max simultaneous domains=1 addresses=1 connection=4',
  ])
  t.same(statistics.report(start), [])
  t.end()
})

t.test('report() has connections that went early in a line of their own', (t) => {
  const statistics = new CacheStatistics(start)
  statistics.countEarly(0)
  t.same(statistics.report(start), [])
  statistics.countEarly(2)
  statistics.countEarly(1)
  t.same(statistics.report(start), [
    'statistics: start interval Nov  3 23:03:05',
    'statistics: connections closed early for want of room=3',
  ])
  t.same(statistics.report(start), [])
  t.end()
})
