import t from 'tap'
import { ConcurrencyWindow, type WindowSettings } from './concurrency-window.ts'
import { parseFeedback } from './feedback.ts'
import { usualSettings } from './scheduler-fixture.ts'

function make(given: Partial<WindowSettings>, size: number): ConcurrencyWindow {
  const window = new ConcurrencyWindow({ ...usualSettings.window, ...given })
  window.size = size
  return window
}

function feedback(text: string): WindowSettings['positive'] {
  return parseFeedback(text, () => {
    throw new Error(text)
  })
}

const short = (value: number): number => Number(value.toFixed(3))

t.test('ConcurrencyWindow climbs and falls as the reference does', (t) => {
  const window = make({}, 5)
  const state = (): number[] => [window.size, window.failure, short(window.failedCohorts)]
  const steps: [number | 'failure', number[]][] = [
    [5, [6, 0, 0]],
    [6, [7, 0, 0]],
    [1, [7, 0, 0]],
    ['failure', [5, 1, 0.143]],
    ['failure', [4, 1, 0.343]],
    [5, [5, 0, 0]],
    ['failure', [3, 1, 0.2]],
    ['failure', [2, 1, 0.533]],
  ]
  for (const [event, expected] of steps) {
    if (event === 'failure') t.equal(window.narrow(), 'alive')
    else window.widen(event)
    t.same(state(), expected)
  }
  t.equal(window.narrow(), 'dead')
  t.equal(short(window.failedCohorts), 1.033)
  t.end()
})

t.test('ConcurrencyWindow with positive feedback 1/concurrency', (t) => {
  const window = make({ positive: feedback('1/concurrency') }, 4)
  const sizes = Array.from({ length: 9 }, () => {
    window.widen(4)
    return window.size
  })
  t.same(sizes, [4, 4, 4, 5, 5, 5, 5, 5, 6])
  t.end()
})

t.test('ConcurrencyWindow with negative feedback 1/8 and no cohort limit', (t) => {
  const window = make({ negative: feedback('1/8'), failedCohortLimit: 0 }, 5)
  const states = Array.from({ length: 16 }, () => {
    window.narrow()
    return [window.size, window.failure]
  })
  t.same(states[0], [4, 0.875])
  t.same(states[6], [4, 0.125])
  t.same(states[7], [3, 1])
  t.same(states[15], [2, 1])
  t.end()
})

t.test('ConcurrencyWindow with negative feedback 1/concurrency', (t) => {
  const window = make({ negative: feedback('1/concurrency'), failedCohortLimit: 0 }, 5)
  const states = Array.from({ length: 10 }, () => {
    window.narrow()
    return [window.size, short(window.failure)]
  })
  t.same(states, [
    [4, 0.8],
    [4, 0.55],
    [4, 0.3],
    [3, 1.05],
    [3, 0.717],
    [3, 0.383],
    [2, 1.05],
    [2, 0.55],
    [1, 1.05],
    [1, 1.05],
  ])
  const limited = make({ negative: feedback('1/concurrency') }, 5)
  t.same(
    Array.from({ length: 5 }, () => [limited.narrow(), short(limited.failedCohorts)]),
    [
      ['alive', 0.2],
      ['alive', 0.45],
      ['alive', 0.7],
      ['alive', 0.95],
      ['dead', 1.283],
    ],
  )
  t.end()
})

t.test('ConcurrencyWindow never exceeds its limit, and 0 is none', (t) => {
  const window = make({ limit: 6 }, 5)
  for (let count = 0; count < 5; count += 1) window.widen(10)
  t.equal(window.size, 6)
  const free = make({ limit: 0 }, 5)
  for (let count = 0; count < 50; count += 1) free.widen(100)
  t.equal(free.size, 55)
  t.end()
})

t.test('parseFeedback() accepts three forms and falls back to 1', (t) => {
  const ignored: string[] = []
  const parse = (text: string): unknown => parseFeedback(text, (bad) => ignored.push(bad))
  t.same(parse('0.5'), { amount: 0.5, isPerConcurrency: false })
  t.same(parse('1/4'), { amount: 0.25, isPerConcurrency: false })
  t.same(parse('1/concurrency'), { amount: 1, isPerConcurrency: true })
  t.same(ignored, [])
  const one = { amount: 1, isPerConcurrency: false }
  for (const bad of ['2', '-1', 'x', '', '1/0', '1/sqrt_concurrency']) t.same(parse(bad), one)
  t.equal(ignored.length, 6)
  t.end()
})
