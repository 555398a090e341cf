/**
 * expiry-order.test - who expires, and who is next
 */
import t from 'tap'
import { ExpiryOrder } from './expiry-order.ts'

const at = (name: string, expiresAtSeconds: number) => ({ name, expiresAtSeconds })

t.test('first is the one that expires next, the oldest of its second', (t) => {
  const order = new ExpiryOrder<ReturnType<typeof at>>()
  t.equal(order.first, undefined)
  const [late, one, other] = [at('late', 9), at('one', 5), at('other', 5)]
  for (const element of [late, one, other]) order.add(element)
  t.equal(order.first, one)
  order.remove(one)
  t.equal(order.first, other)
  order.remove(other)
  order.remove(other)
  t.equal(order.first, late)
  order.clear()
  t.equal(order.first, undefined)
  t.end()
})

t.test('takeExpired() takes those whose time has come, once', (t) => {
  const order = new ExpiryOrder<ReturnType<typeof at>>()
  for (const second of [3, 1, 2]) order.add(at(String(second), second))
  t.same(
    order
      .takeExpired(2)
      .map(({ name }) => name)
      .sort(),
    ['1', '2'],
  )
  t.same(order.takeExpired(2), [])
  t.equal(order.first?.name, '3')
  t.end()
})
