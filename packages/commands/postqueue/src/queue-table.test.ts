import { OptionError } from '@posthorn/config/getopt'
import type { QueueEntry } from '@posthorn/wire/showq-protocol'
import t from 'tap'
import { parsePostqueueOptions } from './postqueue-options.ts'
import { formatQueueJson } from './queue-json.ts'
import { QueueTable } from './queue-table.ts'

process.env['TZ'] = 'UTC'

const entry: QueueEntry = {
  queueName: 'deferred',
  queueId: '27D05214002',
  timeSeconds: 1795215826,
  sizeBytes: 114,
  forcedExpire: 0,
  sender: 'me@example.org',
  recipients: [{ recipient: 'rcpt@example.net', reason: '' }],
}

t.test('QueueTable prints as mailq does', (t) => {
  const table = new QueueTable(false)
  const longReason = 'x'.repeat(80)
  const text = [
    table.add(entry),
    table.add({
      ...entry,
      queueName: 'hold',
      queueId: 'ABC',
      sizeBytes: 123456789,
      forcedExpire: 1,
      recipients: [
        { recipient: 'a@x', reason: 'host said: no' },
        { recipient: 'b@x', reason: 'host said: no' },
        { recipient: 'c@x', reason: longReason },
        { recipient: 'd@x', reason: '' },
      ],
    }),
    table.add({ ...entry, queueName: 'active', recipients: [] }),
    table.end(),
  ]
  t.equal(
    text.join(''),
    `-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
27D05214002     114 Fri Nov 20 23:03:46  me@example.org
                                         rcpt@example.net

ABC!#       123456789 Fri Nov 20 23:03:46  me@example.org
                                                               (host said: no)
                                         a@x
                                         b@x
(${longReason})
                                         c@x
                                                          (reason unavailable)
                                         d@x

27D05214002*     114 Fri Nov 20 23:03:46  me@example.org

-- 120563 Kbytes in 3 Requests.
`,
  )
  t.equal(new QueueTable(false).end(), 'Mail queue is empty\n')
  const long = new QueueTable(true)
  t.equal(
    long.add({ ...entry, queueId: '4jWWHL3CqMzJPmP' }) + long.end(),
    `----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------
4jWWHL3CqMzJPmP        114 Fri Nov 20 23:03:46 me@example.org
                                               rcpt@example.net

-- 0 Kbytes in 1 Request.
`,
  )
  t.end()
})

t.test('formatQueueJson() writes one line that JSON.parse() understands', (t) => {
  const odd = { ...entry, sender: 'a"\\\b\f\n\r\t\x01\x7f\xc3\xa9', forcedExpire: 1 }
  const recipients = [{ recipient: 'c@d', reason: 'text' }, ...entry.recipients]
  t.equal(
    formatQueueJson({ ...odd, recipients }, true),
    '{"queue_name": "deferred", "queue_id": "27D05214002", "arrival_time": 1795215826, "message_size": 114, "forced_expire": true, "sender": "a\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007F\xc3\xa9", "recipients": [{"address": "c@d", "delay_reason": "text"}, {"address": "rcpt@example.net"}]}\n',
  )
  t.match(JSON.parse(formatQueueJson(odd, false)), { sender: odd.sender })
  t.end()
})

t.test('parsePostqueueOptions() wants exactly one task', (t) => {
  t.same(parsePostqueueOptions(['-c', 'dir', '-vi', 'ID']), {
    configDirectory: 'dir',
    isVerbose: true,
    task: { kind: 'flushMessage', id: 'ID' },
  })
  t.match(parsePostqueueOptions(['-s', 'x.y']).task, { kind: 'flushSite', site: 'x.y' })
  for (const argv of [[], ['-p', '-f'], ['-p', '-p'], ['-p', 'x'], ['-z'], ['-i']]) {
    try {
      parsePostqueueOptions(argv)
      t.fail(argv.join(' '))
    } catch (error) {
      t.ok(error instanceof OptionError)
    }
  }
  t.end()
})
