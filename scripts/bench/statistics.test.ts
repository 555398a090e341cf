import t from 'tap'
import { median, pairRatios, percentile, withSpread } from './statistics.ts'

t.test('median() is the middle one, or halfway between the two middle ones', (t) => {
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([4, 1, 2, 3]), 2.5)
  t.equal(median([7]), 7)
  t.end()
})

t.test('percentile() is a value that occurs, and not below the share', (t) => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
  t.equal(percentile(hundred, 0.5), 50)
  t.equal(percentile(hundred, 0.99), 99)
  t.equal(percentile([1, 2, 3], 0.99), 3)
  t.equal(percentile([5], 0.5), 5)
  t.end()
})

t.test('pairRatios() divides pair by pair, and leaves out a pair that is not finished', (t) => {
  const runs = { postfix: [100, 200, 50], posthorn: [150, 100] }
  t.same(
    pairRatios(runs, (run) => run),
    [1.5, 0.5],
  )
  t.end()
})

t.test('withSpread() shows the median, the smallest and the largest', (t) => {
  t.equal(withSpread([2, 1, 4]), '2.00 (1.00-4.00)')
  t.end()
})
