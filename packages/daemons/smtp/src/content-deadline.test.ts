import t from 'tap'
import { ContentDeadline } from './content-deadline.ts'

t.test('ContentDeadline: waiting uses time up, octets earn it', (t) => {
  const deadline = new ContentDeadline(10_000, 1000)
  t.equal(deadline.leftMs, 10_000)
  deadline.wrote(2000, 5000)
  t.equal(deadline.leftMs, 7000)
  deadline.wrote(2000, 5000)
  t.equal(deadline.leftMs, 4000)
  t.end()
})

t.test('ContentDeadline: there is never more than at the beginning', (t) => {
  const deadline = new ContentDeadline(10_000, 1000)
  deadline.wrote(1_000_000, 0)
  t.equal(deadline.leftMs, 10_000)
  deadline.wrote(0, 9999)
  t.equal(deadline.leftMs, 1)
  t.end()
})
