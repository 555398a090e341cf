import t from 'tap'
import { formatDelay } from './format-delay.ts'

// seconds, then the text for limits 2, 3 and 0
const table = `
0.0049 0 0.005 0
0.005 0.01 0.005 0
0.0149 0.01 0.015 0
0.015 0.02 0.015 0
0.095 0.1 0.095 0
0.104 0.1 0.1 0
0.105 0.11 0.11 0
0.123 0.12 0.12 0
0.994 0.99 0.99 1
0.995 1 1 1
1.04 1 1 1
1.05 1.1 1.1 1
1.96 2 2 2
9.94 9.9 9.9 10
9.95 10 10 10
10.4 10 10 10
10.5 11 11 11
99.5 100 100 100
1234.6 1235 1235 1235`

t.test('formatDelay() prints two significant digits', (t) => {
  for (const row of table.trim().split('\n')) {
    const [seconds = '', two, three, none] = row.split(' ')
    const ms = Number(seconds) * 1000
    t.equal(formatDelay(ms, 2), two, `${seconds} limit 2`)
    t.equal(formatDelay(ms, 3), three, `${seconds} limit 3`)
    t.equal(formatDelay(ms, 0), none, `${seconds} limit 0`)
  }
  t.equal(formatDelay(-5, 2), '0')
  t.equal(formatDelay(0, 6), '0')
  t.end()
})
