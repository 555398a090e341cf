import t from 'tap'
import { ListenerWatch } from './listener-watch.ts'
import { socketPair } from './socket.ts'

t.test('ListenerWatch tells as long as something waits, and nothing while paused', async (t) => {
  const [a, b] = socketPair()
  let count = 0
  let noticed: () => void = () => undefined
  const next = async (): Promise<void> =>
    new Promise((resolve) => {
      noticed = resolve
    })
  const watch = new ListenerWatch(b, () => {
    count++
    watch.pause()
    noticed()
  })
  a.write('x')
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  t.equal(count, 0, 'starts paused')
  for (const expected of [1, 2]) {
    const told = next()
    watch.resume()
    watch.resume()
    await told
    t.equal(count, expected)
  }
  watch.close()
  watch.close()
  t.equal(b.isOpen, false)
  a.close()
})
