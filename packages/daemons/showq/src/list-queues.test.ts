import { encodeRecord } from '@posthorn/queue/record'
import { encodeSizeRecord } from '@posthorn/queue/size-record'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { decodeAttrList } from '@posthorn/wire/attr-list'
import { parseQueueEntry, type QueueEntry } from '@posthorn/wire/showq-protocol'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import t from 'tap'
import { listQueues } from './list-queues.ts'

process.chdir(t.testdir({}))
const layout = new QueueLayout()
const R = encodeRecord

function put(path: string, octets: string, mode = 0o700): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, octets, 'latin1')
  chmodSync(path, mode)
}

async function list(warnings: string[] = []): Promise<QueueEntry[]> {
  const options = {
    emptyAddress: 'MAILER-DAEMON',
    duplicateLimit: 1000,
    warn: (text: string) => warnings.push(text),
  }
  let octets = ''
  for await (const piece of listQueues(layout, options)) octets += piece
  const entries = []
  for (let at = 0; at < octets.length;) {
    const decoded = decodeAttrList(octets, at)
    if (decoded === undefined) throw new Error('a list breaks off')
    entries.push(parseQueueEntry(decoded.attrs))
    at = decoded.end
  }
  return entries
}

const content = R('N', 'Subject: x') + R('N')
const envelope = (sender: string, recipients: string): string =>
  R('T', '1795216000 5') + R('S', sender) + recipients
function message(sender: string, recipients: string, extracted = ''): string {
  const head = envelope(sender, recipients)
  const size = { recipientCount: 1, flags: 0, contentLength: 0, smtputf8: 0 }
  const record = encodeSizeRecord({
    dataSize: content.length,
    dataOffset: 97 + head.length + 2,
    ...size,
  })
  return `${record}${head}M\0${content}X\0${extracted}E\0`
}

t.test('listQueues() shows complete messages, with reasons from the defer log', async (t) => {
  put(
    'maildrop/A1',
    `${envelope('', R('R', 'q u@x'))}M\0${content}X\0${R('R', 'late@x')}E\0`,
    0o744,
  )
  put('incoming/B1', message('s@x', R('R', 'r@x')), 0o600)
  put('incoming/1234.5', message('s@x', R('R', 'r@x')))
  put('active/C1', message('s\x01@x', R('D', 'done@x') + R('R', 'r@x'), R('R', '')))
  put('deferred/D/D1', message('s@x', R('R', 'r1@x') + R('R', 'r2@x')), 0o710)
  put('defer/D/D1', '\nrecipient=r2@x\nreason=try later\n\n', 0o600)
  put('hold/E1', message('s@x', R('R', 'r@x')).slice(0, 140))
  put('hold/F1', R('T', '1'))
  put('hold/G1', '#!/bin/sh')
  const warnings: string[] = []
  const entries = await list(warnings)
  t.same(
    entries.map(({ queueName, queueId, sender, forcedExpire }) => [
      queueName,
      queueId,
      sender,
      forcedExpire,
    ]),
    [
      ['maildrop', 'A1', 'MAILER-DAEMON', 0],
      ['active', 'C1', '"s?"@x', 0],
      ['deferred', 'D1', 's@x', 1],
      ['hold', 'E1', 's@x', 0],
    ],
  )
  t.same(
    entries.map(({ recipients }) => recipients.map((each) => [each.recipient, each.reason])),
    [
      [
        ['"q u"@x', ''],
        ['late@x', ''],
      ],
      [
        ['r@x', ''],
        ['MAILER-DAEMON', ''],
      ],
      [
        ['r2@x', 'try later'],
        ['r1@x', ''],
      ],
      [['r@x', '']],
    ],
  )
  t.equal(entries[1]?.timeSeconds, 1795216000)
  t.equal(entries[1]?.sizeBytes, content.length)
  t.match(warnings, [/^hold\/G1: /])
})

t.test('listQueues() gives a message with very many recipients in pieces', async (t) => {
  put('hold/E1', message('s@x', R('R', 'some.recipient@example.org').repeat(4_000)))
  const options = { emptyAddress: '', duplicateLimit: 0, warn: () => undefined }
  let largest = 0
  let pieces = 0
  for await (const piece of listQueues(layout, options)) {
    largest = Math.max(largest, piece.length)
    pieces += 1
  }
  t.ok(largest < 32 * 1024)
  t.ok(pieces > 5)
  t.equal((await list()).at(-1)?.recipients.length, 4_000)
})
