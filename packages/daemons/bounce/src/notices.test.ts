import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { encodeRecord } from '@posthorn/queue/record'
import { RecordReader } from '@posthorn/queue/record-reader'
import { encodeSizeRecord } from '@posthorn/queue/size-record'
import type { DsnFields, Recipient } from '@posthorn/wire/attr-groups'
import type { BounceRequest } from '@posthorn/wire/bounce-protocol'
import type { Channel } from '@posthorn/wire/channel'
import { announceCleanup, CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'
import { FakeService } from '@posthorn/wire/fake-service'
import { SubmissionReply } from '@posthorn/wire/submission-session'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { verpSender } from './answer-report.ts'
import { readBounceSettings } from './bounce-settings.ts'
import { answerRequest, type BounceContext } from './bounce.ts'

process.env['TZ'] = 'UTC'
process.chdir(t.testdir({ active: {} }))

const ID = '3728B20C0F1'
const notices: string[] = []
let status = 0

/** cleanup(8) as bounce(8) sees it. */
async function takeNotice(channel: Channel): Promise<void> {
  announceCleanup(channel, `NOTICE${notices.length}`)
  const flags = await channel.receive()
  const reader = new RecordReader()
  let text = `flags ${flags?.[0]?.[1] ?? ''}\n`
  for (;;) {
    const record = reader.next()
    if (record === undefined) {
      if (channel.stream.buffered === '' && !(await channel.stream.fill())) return
      reader.push(channel.stream.take(channel.stream.buffered.length))
      continue
    }
    text += `${record.type} ${record.payload}\n`
    if (record.type === 'E') break
  }
  if (status === 0) notices.push(text)
  channel.send(SubmissionReply.encode({ status, reason: 'disk full', stays: false }))
}

const cleanup = FakeService.start(takeNotice)
t.teardown(() => {
  cleanup[Symbol.dispose]()
})

function context(log: BounceContext['log'], main: Record<string, string> = {}): BounceContext {
  const config = MainConfig.of({
    myhostname: 'mx.example.test',
    mydomain: 'example.test',
    mail_name: 'Posthorn',
    delay_warning_time: '4h',
    smtputf8_enable: 'yes',
    ...main,
  })
  return { settings: { ...readBounceSettings(config), cleanupPath: cleanup.path }, config, log }
}

const recipient = (address: string, more: Partial<Recipient> = {}): Recipient => ({
  originalRecipient: address,
  recipient: address,
  offset: 0,
  dsnOriginalRecipient: `rfc822;${address}`,
  notifyFlags: 0,
  ...more,
})
const dsn = (status: string, reason: string, more: Partial<DsnFields> = {}): DsnFields => ({
  status,
  action: status.startsWith('4') ? 'delayed' : 'failed',
  diagnosticType: '',
  diagnosticText: '',
  remoteMtaType: '',
  remoteMtaName: '',
  reason,
  ...more,
})

async function append(where: BounceContext, who: Recipient, what: DsnFields): Promise<void> {
  const request = { request: 0, flags: 0, queueId: ID, recipient: who, dsn: what } as const
  if ((await answerRequest(request, where)) !== 0) throw new Error('Cannot append')
}

const common = {
  flags: 0,
  queueName: 'active',
  queueId: ID,
  encoding: '',
  smtpUtf8: 0,
  sender: 'me@x.test',
  envelopeId: '',
  returnFlags: 0,
}
async function ask(where: BounceContext, request: BounceRequest): Promise<string[]> {
  const log = captureLog()
  try {
    const result = await answerRequest(request, where)
    return [...log.lines, `status ${result}`]
  } finally {
    log.restore()
  }
}

function putOriginal(): void {
  const head = [
    encodeRecord('T', '1795216000 5'),
    encodeRecord('S', 'me@x.test'),
    encodeRecord('R', 'gone@y.test'),
  ].join('')
  const lines = [
    'Subject: hello',
    'Message-ID: <1@x.test>',
    'X-Long: a',
    '\tb',
    '',
    'body \xe9',
    '.',
  ]
  const content = lines.map((line) => encodeRecord('N', line)).join('')
  const size = encodeSizeRecord({
    dataSize: content.length,
    dataOffset: 97 + head.length + 2,
    recipientCount: 1,
    flags: 0,
    contentLength: 0,
    smtputf8: 0,
  })
  writeFileSync(`active/${ID}`, `${size}${head}M\0${content}X\0E\0`, 'latin1')
}
const RECIPIENT_OFFSET = 97 + 14 + 11

function takeNotices(): string {
  const text = notices.splice(0).join('\n')
  return text
    .replace(/\.\d{10}\/mx/g, '.TIME/mx')
    .replace(/^T .*$/gm, 'T TIME')
    .replaceAll('\xe9', '\\xe9')
    .replace(/^(N Date:|N \tid NOTICE\d+;) .*$/gm, '$1 DATE')
}

let report = ''

t.test('a failure is told to the sender and to the postmaster', async (t) => {
  putOriginal()
  const where = context('bounce', { notify_classes: 'bounce' })
  const diagnostic = {
    diagnosticType: 'smtp',
    diagnosticText: '550 5.1.1 no such user, and quite a long explanation of why that is so',
    remoteMtaType: 'dns',
    remoteMtaName: 'mx.y.test',
  }
  const gone = recipient('gone@y.test', {
    offset: RECIPIENT_OFFSET,
    originalRecipient: 'alias@x.test',
  })
  await append(where, gone, dsn('5.1.1', 'host mx.y.test said: 550\x07 no', diagnostic))
  await append(where, recipient('never@y.test', { notifyFlags: 1 }), dsn('5.0.0', 'unknown'))
  const lines = await ask(where, { request: 1, ...common, flags: 2, envelopeId: 'ENV' })
  t.same(lines, [
    `${ID}: sender non-delivery notification: NOTICE0`,
    `${ID}: postmaster non-delivery notification: NOTICE1`,
    'status 0',
  ])
  report += takeNotices()
  t.notOk(existsSync(`bounce/${ID}`))
  t.equal(readFileSync(`active/${ID}`, 'latin1').charAt(RECIPIENT_OFFSET), 'D')
})

t.test('a delay is told as long as nothing else is known', async (t) => {
  putOriginal()
  const where = context('defer')
  await append(where, recipient('late@y.test', { notifyFlags: 8 }), dsn('4.4.1', 'refused'))
  const lines = await ask(where, { request: 2, ...common, encoding: '7bit', smtpUtf8: 1 })
  t.same(lines, [`${ID}: sender delay notification: NOTICE0`, 'status 0'])
  report += takeNotices()
  t.ok(existsSync(`defer/3/${ID}`))
  const given = await ask(where, { request: 1, ...common, returnFlags: 2, encoding: '8bit' })
  t.same(given, ['status 0'], 'it was not asked for')
  t.notOk(existsSync(`defer/3/${ID}`))
})

t.test('a success is told without a body', async (t) => {
  const where = context('trace', { smtputf8_enable: 'no', enable_threaded_bounces: 'yes' })
  await append(where, recipient('ok@y.test'), dsn('2.0.0', 'sent', { action: 'relayed' }))
  const lines = await ask(where, { request: 5, ...common, encoding: '7bit' })
  t.same(lines, [`${ID}: sender delivery status notification: NOTICE0`, 'status 0'])
  report += takeNotices()
  t.same(await ask(where, { request: 5, ...common }), ['status 0'])
})

t.test('notices are as in notices.ref', (t) => {
  const reference = new URL('notices.ref', import.meta.url)
  if (process.env['POSTHORN_GOLDEN'] === 'write') writeFileSync(reference, report, 'latin1')
  t.equal(report, readFileSync(reference, 'latin1'))
  t.end()
})

t.test('bounces of bounces end somewhere', async (t) => {
  const one = { recipient: recipient('gone@y.test'), dsn: dsn('5.1.1', 'no') }
  const quiet = context('bounce')
  t.same(await ask(quiet, { request: 4, ...common, sender: '', ...one }), ['status 0'])
  const loud = context('bounce', { notify_classes: '2bounce' })
  t.same(await ask(loud, { request: 4, ...common, sender: '', ...one }), [
    `${ID}: postmaster non-delivery notification: NOTICE0`,
    'status 0',
  ])
  const [notice = ''] = notices.splice(0)
  t.match(notice, 'S double-bounce@mx.example.test\nR postmaster\n')
  t.match(notice, 'Return-Path: <MAILER-DAEMON@mx.example.test>')
  const last = { request: 4, ...common, sender: 'Double-Bounce@MX.example.test', ...one } as const
  t.same(await ask(loud, last), [
    `warning: ${ID}: undeliverable postmaster notification discarded`,
    'status 0',
  ])
  t.equal(notices.length, 0)
})

t.test('a delay of mail without a sender is told to the postmaster in full', async (t) => {
  putOriginal()
  const where = context('defer', { notify_classes: 'delay' })
  await append(where, recipient('slow@y.test'), dsn('4.4.1', 'later'))
  await ask(where, { request: 2, ...common, sender: '' })
  t.match(notices.splice(0)[0], 'N Content-Description: Undelivered Message\n')
  await ask(where, { request: 2, ...common })
  const described = notices.splice(0).map((text) => /N Content-Description: Un.*/.exec(text)?.[0])
  t.same(described, Array(2).fill('N Content-Description: Undelivered Message Headers'))
  rmSync(`defer/3/${ID}`)
})

t.test('a notice about a lost log says so to people only', async (t) => {
  await ask(context('bounce'), { request: 1, ...common })
  t.equal(notices.splice(0)[0]?.split('--- Delivery report unavailable ---').length, 2)
})

t.test('VERP makes a notice for each recipient', async (t) => {
  const where = context('bounce')
  await append(where, recipient('a@y.test'), dsn('5.1.1', 'no'))
  await append(
    where,
    recipient('b@y.test', { originalRecipient: 'alias@x.test' }),
    dsn('5.1.1', 'no'),
  )
  const request = { request: 3, ...common, sender: 'list@x.test', delimiters: '+=' } as const
  await ask(where, request)
  t.match(notices[0], 'R list+a=y.test@x.test\n')
  t.match(notices[1], 'R list+alias=x.test@x.test\n')
  t.equal(notices.splice(0).length, 2)
  t.equal(verpSender('list', 'user', '+='), 'list+user')
})

t.test('the log stays when cleanup(8) does not take the notice', async (t) => {
  const where = context('bounce')
  await append(where, recipient('a@y.test'), dsn('5.1.1', 'no'))
  status = 2
  const lines = await ask(where, { request: 1, ...common })
  t.match(lines, [/^warning: 3728B20C0F1: notification: .*disk full/, 'status -1'])
  t.ok(existsSync(`bounce/${ID}`))
  t.match(await ask(where, { request: 1, ...common, flags: 1 }), [/warning/, 'status -1'])
  t.notOk(existsSync(`bounce/${ID}`), 'unless it was to be removed')
  status = 0
})

t.test('large, missing and damaged messages are returned as far as possible', async (t) => {
  const one = { recipient: recipient('gone@y.test'), dsn: dsn('5.1.1', 'no') }
  await ask(context('bounce', { bounce_size_limit: '10' }), { request: 4, ...common, ...one })
  t.match(notices.pop(), /Undelivered Message Headers(?:.|\n)*X-Long: a\nN \tb\nN \nN --/)
  writeFileSync(`active/${ID}`, readFileSync(`active/${ID}`, 'latin1').slice(0, -20), 'latin1')
  await ask(context('bounce'), { request: 4, ...common, ...one })
  t.match(notices.pop(), /N Subject: hello\n(?:.|\n)*N --3728B20C0F1\.\d+\/mx\.example\.test--\n/)
  const gone = { request: 4, ...common, queueId: 'NOSUCH', ...one } as const
  await ask(context('bounce'), gone)
  t.match(notices.pop(), '\t--- Undelivered message unavailable ---\nN \nN --NOSUCH.')
  t.same(await ask(context('bounce'), { ...gone, queueId: '../x' }), [
    'warning: malformed request: bad queue id "../x"',
    'status -1',
  ])
  t.match(await ask(context('bounce'), { ...gone, queueName: 'private' }), [
    /queue name/,
    'status -1',
  ])
  mkdirSync('bounce/blocked')
  const blocked = { request: 0, flags: 0, queueId: 'blocked', ...one } as const
  t.same(await ask(context('bounce'), blocked), [
    'warning: append file bounce blocked: Is a directory',
    'status -1',
  ])
})

t.test('notices about mail that asks for TLS, or waives it (RFC 8689 5)', async (t) => {
  putOriginal()
  const one = { recipient: recipient('gone@y.test'), dsn: dsn('5.7.30', 'no') }
  const notice = async (smtpUtf8: number, main: Record<string, string> = {}): Promise<string> => {
    await ask(context('bounce', main), { request: 4, ...common, ...one, smtpUtf8 })
    return notices.pop() ?? ''
  }
  const whole = /Content-Description: Undelivered Message\n/
  const headers = /Content-Description: Undelivered Message Headers\n/
  const flags = (text: string): number => Number(/^flags (\d+)/.exec(text)?.[1])
  const { requireTls } = CLEANUP_FLAGS
  const plain = await notice(0)
  t.match(plain, whole)
  t.notMatch(plain, /TLS-Required/)
  const redacted = await notice(32)
  t.match(redacted, headers, 'REQUIRETLS: headers only')
  t.equal(flags(redacted) & requireTls, 0, 'and by any way')
  const kept = await notice(32, { requiretls_redact_dsn: 'no' })
  t.match(kept, whole, 'all of it')
  t.equal(flags(kept) & requireTls, requireTls, 'as it came')
  const waived = await notice(16)
  t.match(waived, /N TLS-Required: No\nN \nN This is a MIME/)
  t.match(waived, whole)
  t.notMatch(await notice(16, { tls_required_enable: 'no' }), /TLS-Required/)
  t.notMatch(await notice(48), /TLS-Required/, 'REQUIRETLS counts more')
})
