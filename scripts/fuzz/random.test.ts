import t from 'tap'
import { Random } from './random.ts'

t.test('Random depends on seed and index alone', (t) => {
  const first = (seed: number, index: number): number[] => {
    const random = new Random(seed, index)
    return Array.from({ length: 4 }, () => random.bits())
  }
  t.same(first(1, 2), first(1, 2))
  t.notSame(first(1, 2), first(1, 3))
  t.notSame(first(1, 2), first(2, 2))
  t.end()
})

t.test('Random keeps within limits, and uses them', (t) => {
  const random = new Random(1, 0)
  const seen = new Set(Array.from({ length: 1000 }, () => random.below(5)))
  t.same([...seen].sort(), [0, 1, 2, 3, 4])
  const hits = Array.from({ length: 1000 }, () => random.chance(0.3)).filter(Boolean).length
  t.ok(hits > 200 && hits < 400)
  t.ok(['a', 'b'].includes(random.pick(['a', 'b'])))
  t.throws(() => random.pick([]), RangeError)
  t.end()
})
