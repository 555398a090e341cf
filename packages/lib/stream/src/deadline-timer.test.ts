import { execFileSync } from 'node:child_process'
import t from 'tap'
import { scheduleDeadline } from './deadline-timer.ts'

t.test('scheduleDeadline() expires in time, not before, and not when cancelled', async (t) => {
  const keepAlive = setInterval(() => 0, 1000)
  const startMs = Date.now()
  const order: string[] = []
  const done = new Promise<void>((resolve) => {
    scheduleDeadline(startMs + 200, () => {
      order.push('late')
      resolve()
    })
  })
  const cancelled = scheduleDeadline(startMs + 60, () => order.push('cancelled'))
  scheduleDeadline(startMs + 80, () => {
    order.push('early')
    t.ok(Date.now() >= startMs + 80)
  })
  cancelled.cancel()
  scheduleDeadline(startMs - 1, () => order.push('past'))
  await done
  t.same(order, ['past', 'early', 'late'])
  clearInterval(keepAlive)
})

t.test('a deadline that cancels another of the same walk', async (t) => {
  const keepAlive = setInterval(() => 0, 1000)
  const atMs = Date.now() + 50
  await new Promise<void>((resolve) => {
    scheduleDeadline(atMs, () => {
      second.cancel()
      resolve()
    })
    const second = scheduleDeadline(atMs, () => {
      t.fail('was cancelled')
    })
  })
  clearInterval(keepAlive)
})

t.test('a deadline alone does not keep the process alive', (t) => {
  const url = new URL('deadline-timer.ts', import.meta.url).href
  const source = `import { scheduleDeadline } from ${JSON.stringify(url)}
    scheduleDeadline(Date.now() + 100_000, () => 0); console.log('scheduled')`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', source], {
    timeout: 20_000,
  })
  t.equal(String(output), 'scheduled\n')
  t.end()
})
