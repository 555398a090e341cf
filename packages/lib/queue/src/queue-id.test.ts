import fc from 'fast-check'
import t from 'tap'
import { findQueueId, formatQueueId, hashKey, parseQueueId, splitQueueId } from './queue-id.ts'
import { parseQueueName, QueueLayout } from './queue-layout.ts'

t.test('formatQueueId() makes the ids that Postfix makes', (t) => {
  const time = { seconds: 1795216142, microseconds: 453823 }
  t.equal(formatQueueId(time, 2179098, true), '4jWWHL3CqMzJPmP')
  t.equal(formatQueueId(time, 2179098, false), '6ECBF21401A')
  t.equal(formatQueueId({ seconds: 0, microseconds: 7 }, 1, false), '000071')
  t.end()
})

t.test('splitQueueId() takes apart what formatQueueId() made', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1_000_000_000, max: 4_000_000_000 }),
      fc.integer({ min: 0, max: 999_999 }),
      fc.integer({ min: 1, max: 2 ** 45 }),
      fc.boolean(),
      (seconds, microseconds, inode, isLong) => {
        const id = formatQueueId({ seconds, microseconds }, inode, isLong)
        t.same(splitQueueId(id), { isLong, microseconds, inode })
      },
    ),
  )
  t.match(splitQueueId('hello'), { isLong: false, microseconds: undefined, inode: undefined })
  t.end()
})

t.test('parseQueueId() rejects what is no plain file name', (t) => {
  for (const text of ['', '123456.789', '../x', 'a/b', 'a b', 'é', 'x'.repeat(256), 'A\n']) {
    t.throws(() => parseQueueId(text), { code: 'POSTHORN_QUEUE_NAME' }, text)
    t.equal(findQueueId(text), undefined)
  }
  t.equal(parseQueueId('3AA2721C23C_x'), '3AA2721C23C_x')
  t.throws(() => parseQueueName('private'), { code: 'POSTHORN_QUEUE_NAME' })
  t.equal(parseQueueName('deferred'), 'deferred')
  t.end()
})

t.test('hashKey() is the microseconds in hexadecimal', (t) => {
  t.equal(hashKey('9EE46214009'), '9EE46214009')
  t.equal(hashKey('4jWWHL3CqMzJPmP'), '6ECBF')
  t.equal(hashKey('4jWWHL3CaMzJPmP'), '00000', 'a is no digit')
  t.equal(hashKey('refuse_z'), 'refuse_z')
  t.end()
})

t.test('QueueLayout.path() hashes the queues that are to be hashed', (t) => {
  const layout = new QueueLayout({ hashedQueues: ['Deferred', 'defer'], hashDepth: 2 })
  t.equal(layout.path('deferred', '9EE46214009'), 'deferred/9/E/9EE46214009')
  t.equal(layout.path('deferred', '4jWWHL3CqMzJPmP'), 'deferred/6/E/4jWWHL3CqMzJPmP')
  t.equal(layout.path('active', '9EE46214009'), 'active/9EE46214009')
  t.equal(layout.path('defer', 'x'), 'defer/x/_/x')
  t.equal(new QueueLayout().path('deferred', '9EE46214009'), 'deferred/9/9EE46214009')
  t.end()
})
