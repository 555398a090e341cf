/**
 * verify-sender.test - the sender as recorded from Postfix 3.7.11
 */
import t from 'tap'
import { isVerifySender, makeVerifySender } from './verify-sender.ts'

const nowMs = 1_795_227_424_351

t.test('makeVerifySender()', (t) => {
  t.equal(makeVerifySender('probe@lab.test', 1000, nowMs), 'probe1Y82K@lab.test')
  t.equal(makeVerifySender('probe', 1000, nowMs), 'probe1Y82K')
  t.equal(makeVerifySender('probe@lab.test', 0, nowMs), 'probe@lab.test')
  t.equal(makeVerifySender('<>', 1000, nowMs), '')
  t.equal(makeVerifySender('', 1000, nowMs), '')
  t.end()
})

t.test('isVerifySender() knows the neighbouring intervals', (t) => {
  const at = (ms: number): boolean =>
    isVerifySender('Probe1Y82K@lab.test', 'probe@lab.test', 1000, ms)
  t.ok(at(nowMs))
  t.ok(at(nowMs + 1_000_000))
  t.ok(at(nowMs - 1_000_000))
  t.notOk(at(nowMs + 2_000_000))
  t.notOk(isVerifySender('probe@lab.test', 'probe@lab.test', 1000, nowMs))
  t.ok(isVerifySender('probe@lab.test', 'probe@lab.test', 0, nowMs))
  t.notOk(isVerifySender('', '', 1000, nowMs))
  t.end()
})
