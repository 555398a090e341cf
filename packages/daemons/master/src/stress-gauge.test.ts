import t from 'tap'
import { StressGauge } from './stress-gauge.ts'

t.test('StressGauge lasts 1000 seconds from the last rise', (t) => {
  const gauge = new StressGauge()
  t.equal(gauge.isActive(0), false)
  t.equal(gauge.rise(1000), true)
  t.equal(gauge.rise(500_000), false)
  t.equal(gauge.isActive(1_499_999), true)
  t.equal(gauge.isActive(1_500_000), false)
  t.equal(gauge.rise(1_500_000), true)
  t.end()
})

t.test('StressGauge warns once in 1000 seconds', (t) => {
  const gauge = new StressGauge()
  const times = [0, 1, 999_999, 1_000_000, 1_000_001]
  t.same(
    times.map((ms) => gauge.shouldWarn(ms)),
    [true, false, false, true, false],
  )
  t.end()
})
