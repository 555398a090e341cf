import t from 'tap'
import { RecentMap } from './recent-map.ts'

t.test('get() makes a value once, and forgets the one that was not used for longest', (t) => {
  const made: string[] = []
  const map = new RecentMap<string>(2)
  const get = (key: string): string =>
    map.get(key, () => {
      made.push(key)
      return key.toUpperCase()
    })
  t.equal(get('a'), 'A')
  get('b')
  get('a')
  get('c')
  get('a')
  t.same(made, ['a', 'b', 'c'])
  get('b')
  t.same(made, ['a', 'b', 'c', 'b'])
  t.end()
})

t.test('get() keeps nothing of what cannot be made', (t) => {
  const map = new RecentMap<number>(2)
  const fail = (): number => {
    throw new Error('no')
  }
  t.throws(() => map.get('a', fail), { message: 'no' })
  t.equal(
    map.get('a', () => 1),
    1,
  )
  t.end()
})
