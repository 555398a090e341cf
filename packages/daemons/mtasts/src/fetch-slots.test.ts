/**
 * fetch-slots.test - no more than the limit at once, the others in turn, or not at all
 */
import t from 'tap'
import { FetchSlots } from './fetch-slots.ts'
import { FetchesBusyError } from './mtasts-error.ts'

t.test('so many at once, the others in the order they came', async (t) => {
  const slots = new FetchSlots({ limit: 2, waitingLimit: 10, waitMs: 5000 })
  const running = new Map<number, () => void>()
  const order: number[] = []
  const work = async (at: number): Promise<number> =>
    slots.run(async () => {
      order.push(at)
      await new Promise<void>((resolve) => running.set(at, resolve))
      running.delete(at)
      if (at === 1) throw new Error('a fault')
      return at
    })
  const done = [0, 1, 2, 3, 4].map(async (at) => work(at).catch(() => -1))
  const results: number[] = []
  for (const [at, result] of done.entries()) {
    await new Promise((resolve) => setImmediate(resolve))
    t.ok(running.size <= 2)
    running.get(at)?.()
    results.push(await result)
  }
  t.same(results, [0, -1, 2, 3, 4])
  t.same(order, [0, 1, 2, 3, 4])
})

t.test('whoever waits too long, or finds too many waiting, is turned away', async (t) => {
  const slots = new FetchSlots({ limit: 1, waitingLimit: 1, waitMs: 1 })
  let release: () => void = () => undefined
  const first = slots.run(async () => new Promise<void>((resolve) => (release = resolve)))
  const second = slots.run(async () => Promise.resolve())
  await t.rejects(
    slots.run(async () => Promise.resolve()),
    FetchesBusyError,
  )
  await t.rejects(second, FetchesBusyError)
  release()
  await first
  t.equal(await slots.run(async () => Promise.resolve('again')), 'again')
})
