/** received.test - the layout of Received: headers */
process.env['TZ'] = 'UTC'
import t from 'tap'
import { formatLocalReceived, formatSmtpReceived } from './received.ts'

const timeMs = Date.UTC(2026, 10, 20, 23, 3, 11)
const common = { hostname: 'mx.example.test', mailName: 'Posthorn', queueId: '9EE46214009', timeMs }

t.test('formatLocalReceived()', (t) => {
  t.strictSame(formatLocalReceived({ ...common, userId: 0 }), [
    'Received: by mx.example.test (Posthorn, from userid 0)',
    '\tid 9EE46214009; Fri, 20 Nov 2026 23:03:11 +0000 (UTC)',
  ])
  t.equal(formatLocalReceived(common)[0], 'Received: by mx.example.test (Posthorn)')
  t.end()
})

t.test('formatSmtpReceived()', (t) => {
  const smtp = {
    ...common,
    helo: 'h',
    client: { name: 'localhost', address: '127.0.0.1' },
    protocol: 'ESMTP',
    comments: [],
  }
  t.strictSame(formatSmtpReceived({ ...smtp, onlyRecipient: 'd@e.f' }), [
    'Received: from h (localhost [127.0.0.1])',
    '\tby mx.example.test (Posthorn) with ESMTP id 9EE46214009',
    '\tfor <d@e.f>; Fri, 20 Nov 2026 23:03:11 +0000 (UTC)',
  ])
  t.strictSame(formatSmtpReceived({ ...smtp, comments: ['(Authenticated sender: x)'] }), [
    'Received: from h (localhost [127.0.0.1])',
    '\t(Authenticated sender: x)',
    '\tby mx.example.test (Posthorn) with ESMTP id 9EE46214009;',
    '\tFri, 20 Nov 2026 23:03:11 +0000 (UTC)',
  ])
  t.end()
})
