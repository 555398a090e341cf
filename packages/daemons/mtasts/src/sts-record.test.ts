/**
 * sts-record.test - which TXT records announce a policy
 */
import t from 'tap'
import { findPolicyId } from './sts-record.ts'

const id = '20160831085700Z'

t.test('findPolicyId() finds the id', (t) => {
  for (const texts of [
    [`v=STSv1; id=${id};`],
    [`v=STSv1;id=${id}`],
    [`v=STSv1 \t; \tid=${id} ; `],
    [`v=STSv1; later=a,b:c; id=${id};`],
    [`v=STSv1; id=${id}; id=other`],
    ['v=spf1 -all', `v=STSv1; id=${id};`, 'v=STSv2; id=x', 'V=STSv1; id=y;'],
  ]) {
    t.equal(findPolicyId(texts), id, texts.join(' | '))
  }
  t.end()
})

t.test('findPolicyId() finds none', (t) => {
  for (const texts of [
    [],
    ['v=STSv1'],
    ['v=STSv1;'],
    ['v=STSv1; other=x;'],
    ['v=STSv1; id=;'],
    [`v=STSv1; id=${'x'.repeat(33)};`],
    ['v=STSv1; id=a-b;'],
    [`v=STSv1; id=${id};; more=x`],
    [`v=STSv1; id=${id}; more = x`],
    [`v=STSv1; id=${id}; m\u00e9=x`],
    [`v=STSv1; id=${id}\n`],
    [` v=STSv1; id=${id}`],
    // two are as good as none (RFC 8461 3.1)
    [`v=STSv1; id=${id};`, `v=STSv1; id=${id};`],
    [`v=STSv1; id=${id};`, 'v=STSv1;'],
  ]) {
    t.equal(findPolicyId(texts), undefined, texts.join(' | '))
  }
  t.end()
})
