import fc from 'fast-check'
import { openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { tryLock } from '@posthorn/native/lock'
import { appendMessageLog, formatLogEntry, removeMessageLog, type LogEntry } from './message-log.ts'
import { parseQueueId } from './queue-id.ts'
import { QueueLayout } from './queue-layout.ts'
import { parseEntries, readMessageLog } from './read-message-log.ts'

process.chdir(t.testdir({}))
const layout = new QueueLayout()
const id = parseQueueId('9EE46214009')

const entry: LogEntry = {
  recipient: {
    recipient: 'u3@refuse.test',
    originalRecipient: 'U3@refuse.test',
    dsnOriginalRecipient: 'rfc822;u3@refuse.test',
    notifyFlags: 0,
    offset: 622,
  },
  dsn: {
    status: '4.4.1',
    action: 'delayed',
    diagnosticType: '',
    diagnosticText: '',
    remoteMtaType: '',
    remoteMtaName: '',
    reason: 'connect to 127.0.0.1[127.0.0.1]:9: Connection refused',
  },
}

t.test('formatLogEntry() writes what Postfix writes', (t) => {
  t.equal(
    formatLogEntry(entry.recipient, entry.dsn, true),
    `
<u3@refuse.test>: connect to 127.0.0.1[127.0.0.1]:9: Connection refused
recipient=u3@refuse.test
offset=622
dsn_orig_rcpt=rfc822;u3@refuse.test
status=4.4.1
action=delayed
reason=connect to 127.0.0.1[127.0.0.1]:9: Connection refused

`,
  )
  const recipient = {
    ...entry.recipient,
    recipient: '',
    originalRecipient: 'a b@x',
    notifyFlags: 4,
  }
  const dsn = {
    ...entry.dsn,
    diagnosticType: 'smtp',
    diagnosticText: '550 no',
    remoteMtaType: 'dns',
    remoteMtaName: 'mx.test',
  }
  t.equal(
    formatLogEntry({ ...recipient, offset: -1, dsnOriginalRecipient: '' }, dsn, false),
    `
recipient=<>
original_recipient="a b"@x
notify_flags=4
status=4.4.1
action=delayed
diag_type=smtp
diag_text=550 no
mta_type=dns
mta_mname=mx.test
reason=connect to 127.0.0.1[127.0.0.1]:9: Connection refused

`,
  )
  t.end()
})

t.test('readMessageLog() gives back what was appended', async (t) => {
  t.same([...readMessageLog(layout, 'defer', id)], [])
  t.notOk(removeMessageLog(layout, 'defer', id))
  const values = fc.string({
    unit: fc.constantFrom('a', 'Z', '0', ' ', '<', '>', ';', ':', '='),
    minLength: 1,
  })
  const reasons = values.map((text) => `r${text.trimEnd()}`)
  const sent = fc.sample(
    fc.record({ reason: reasons, status: fc.constantFrom('4.0.0', '5.1.1') }),
    200,
  )
  for (const each of sent) {
    const text = formatLogEntry(entry.recipient, { ...entry.dsn, ...each }, true)
    await appendMessageLog(layout, 'defer', id, text)
  }
  const received = [...readMessageLog(layout, 'defer', id)]
  t.same(
    received.map(({ dsn }) => ({ reason: dsn.reason, status: dsn.status })),
    sent,
  )
  t.same(received[0]?.recipient, { ...entry.recipient, originalRecipient: '' })
  t.equal(statSync('defer/9/9EE46214009').mode & 0o777, 0o600)
  t.ok(removeMessageLog(layout, 'defer', id))
})

t.test('readMessageLog() makes the best of a damaged log', (t) => {
  const warnings: string[] = []
  const read = (text: string, isDeferLog = false) => {
    warnings.length = 0
    const lines = text.split('\n').slice(0, -1)
    return [...parseEntries(lines, isDeferLog, (warning) => warnings.push(warning))]
  }
  t.match(read('\n<a@b>: it\x01 failed\n\n'), [
    {
      recipient: { recipient: 'a@b', offset: 0 },
      dsn: { status: '5.0.0', action: 'failed', reason: 'it? failed' },
    },
  ])
  t.match(read('recipient=<>\n\n\nrecipient=\n\n\n<>: text\n\n', true), [
    {
      recipient: { recipient: '<>' },
      dsn: { status: '4.0.0', action: 'delayed', reason: '(description unavailable)' },
    },
    { recipient: { recipient: '(MAILER-DAEMON)' } },
    { recipient: { recipient: '(MAILER-DAEMON)' }, dsn: { reason: 'text' } },
  ])
  t.match(read('status = 5.1.1 \nstrange=1\n***\n\n'), [
    { recipient: { recipient: '(recipient address unavailable)' }, dsn: { status: '5.1.1' } },
  ])
  t.same(warnings, ['unknown attribute name: strange', 'malformed line: ***'])
  t.same(read('recipient=a@b\nreason=unfinished\n'), [], 'an entry without its end is left out')
  t.equal(read('\n\n\nrecipient=a@b\n\n\n\n\nrecipient=c@d\n\n').length, 2)
  t.end()
})

t.test('appendMessageLog() gives up on a lock, and leaves the file as it was', async (t) => {
  await appendMessageLog(layout, 'bounce', id, 'one\n')
  const fd = openSync('bounce/9EE46214009', 'r')
  t.ok(tryLock(fd, 'exclusive'))
  const hurry = { lockAttempts: 3, lockDelayMs: 1 }
  await t.rejects(appendMessageLog(layout, 'bounce', id, 'two\n', hurry), {
    code: 'POSTHORN_LOG_BUSY',
  })
  t.equal(readFileSync('bounce/9EE46214009', 'latin1'), 'one\n')
})

t.test('parseEntries() survives garbage', (t) => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary-ascii' })), (lines) => {
      for (const found of parseEntries(lines, true, () => undefined)) t.ok(found.dsn.status)
    }),
    { numRuns: 30 },
  )
  writeFileSync('trace', 'a file where a directory should be')
  t.throws(() => [...readMessageLog(layout, 'trace', id)], { code: 'ENOTDIR' })
  t.end()
})
