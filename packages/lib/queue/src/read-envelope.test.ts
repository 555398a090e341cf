import fc from 'fast-check'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readContent } from './content-reader.ts'
import { markDone, markKilled, markWarned } from './mark.ts'
import { encodeAttribute } from './named-attribute.ts'
import { QueueFileCorruptError } from './queue-error.ts'
import { readEnvelope, readRecipients } from './read-envelope.ts'
import { RecordFile } from './record-file.ts'
import { encodeRecord } from './record.ts'
import { encodeSizeRecord } from './size-record.ts'

const directory = t.testdir()
let files = 0

/** Runs `use` on a descriptor of a file with these octets. */
function withFile<T>(octets: string, use: (fd: number) => T): T {
  files += 1
  const path = join(directory, `file${files}`)
  writeFileSync(path, octets, 'latin1')
  const fd = openSync(path, 'r+')
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}

async function text(octets: string, dataOffset: number, lineEnd: '\n' | '\r\n' = '\n') {
  files += 1
  const path = join(directory, `file${files}`)
  writeFileSync(path, octets, 'latin1')
  const fd = openSync(path, 'r')
  try {
    let all = ''
    for await (const chunk of readContent(fd, dataOffset, lineEnd)) all += chunk
    return all
  } finally {
    closeSync(fd)
  }
}

/** The smallest file that a real qmgr(8) delivered. */
const smallest = Buffer.from(
  `435f
  202020202020202020202020203234 20 202020202020202020202020313539 20 202020202020202020202020202031
  20 202020202020202020202020202030 20 202020202020202020202020203234 20 202020202020202020202020202030
  540c313739353231363030302031
  41166372656174655f74696d653d31373935323136303030
  530961406f6b2e74657374 5209784 06f6b2e74657374 4d00
  4e115375626a6563743a2068616e646d616465 4e00 4e0178 5800 4500`.replace(/\s/g, ''),
  'hex',
).toString('latin1')

t.test('readEnvelope() reads the smallest file', async (t) => {
  t.equal(smallest.length, 187)
  const envelope = withFile(smallest, (fd) => readEnvelope(fd))
  t.match(envelope, {
    size: { dataSize: 24, dataOffset: 159, recipientCount: 1, flags: 0, contentLength: 24 },
    arrival: { seconds: 1795216000, microseconds: 1 },
    createSeconds: 1795216000,
    sender: 'a@ok.test',
    rewriteContext: 'local',
    recipients: [{ recipient: 'x@ok.test', originalRecipient: '', notifyFlags: 0, offset: 0x92 }],
    resumeOffset: 0,
    recipientsSeen: 1,
    warnings: [],
  })
  t.equal(await text(smallest, 159), 'Subject: handmade\n\nx\n')
})

t.test('a file cut short anywhere is corrupt', (t) => {
  for (let length = 0; length < smallest.length - 1; length += 1) {
    t.throws(
      () => withFile(smallest.slice(0, length), (fd) => readEnvelope(fd)),
      { code: 'POSTHORN_QUEUE_CORRUPT' },
      `${length} octets`,
    )
  }
  t.end()
})

/** docs/queue.md: a Milter changed headers, sender and recipients. Gaps hold what was overwritten. */
function editedFile(): string {
  const p = (target: number | string): string => encodeRecord('p', String(target).padStart(15))
  const size = { recipientCount: 3, flags: 0, smtputf8: 0 }
  const records: readonly [number, string][] = [
    [0, encodeSizeRecord({ dataSize: 347, dataOffset: 682, contentLength: 347, ...size })],
    [97, encodeRecord('T', '1795215972 554738')],
    [116, encodeAttribute('create_time', '1795215972')],
    [140, encodeAttribute('rewrite_context', 'local')],
    [163, encodeAttribute('log_ident', '9EE46214009')],
    [186, p(1246)],
    [203, encodeAttribute('log_client_name', 'localhost')],
    [230, encodeAttribute('x', 'y'.repeat(410))],
    [645, encodeRecord('O', 'b@x.net')],
    [654, encodeRecord('/', 'b@x.net')],
    [663, p(1207)],
    [680, encodeRecord('M')],
    [682, p(1131)],
    [724, encodeRecord('N', `\tby mx.example.test ${'.'.repeat(76)}`)],
    [822, encodeRecord('N', 'X: 1')],
    [828, encodeRecord('w', '        0')],
    [839, p(1092)],
    [871, encodeRecord('N', 'From: s@example.org')],
    [892, p(909)],
    [909, encodeRecord('N', `Message-Id: <1@x>${' '.repeat(39)}`)],
    [967, p(1050)],
    [984, encodeRecord('N')],
    [986, encodeRecord('N', 'body line with 24 octets')],
    [1012, p(0)],
    [1029, encodeRecord('X')],
    [1031, p(0)],
    [1048, encodeRecord('E')],
    [1050, encodeRecord('N', 'X-Added: appended value')],
    [1075, p(984)],
    [1092, encodeRecord('N', 'Subject: new subject')],
    [1114, p(871)],
    [1131, encodeRecord('N', 'X-Ins: top')],
    [1143, encodeRecord('w', '  0')],
    [1148, encodeRecord('N', 'Received: from c (localhost [127.0.0.1])')],
    [1190, p(724)],
    [1207, encodeRecord('O', 'new@x.net')],
    [1218, encodeRecord('R', 'new@x.net')],
    [1229, p(680)],
    [1246, encodeRecord('S', 'chg@x.org')],
    [1257, encodeRecord('p', '   0')],
    [1263, p(203)],
  ]
  let octets = ''
  for (const [offset, record] of records) {
    if (octets.length > offset) throw new Error(`overlap at ${offset}: ${octets.length}`)
    octets = octets.padEnd(offset, '\xff') + record
  }
  return octets
}

t.test('pointers are followed as in the worked example', async (t) => {
  const octets = editedFile()
  const envelope = withFile(octets, (fd) => readEnvelope(fd))
  t.equal(envelope.sender, 'chg@x.org')
  t.equal(envelope.client.name, 'localhost')
  t.match(envelope.recipients, [
    { recipient: 'new@x.net', originalRecipient: 'new@x.net', offset: 1218 },
  ])
  t.equal(envelope.recipients.length, 1)
  t.equal(envelope.recipientsSeen, 2)
  t.equal(
    await text(octets, envelope.size.dataOffset),
    `X-Ins: top
Received: from c (localhost [127.0.0.1])
\tby mx.example.test ${'.'.repeat(76)}
X: 1
Subject: new subject
From: s@example.org
Message-Id: <1@x>${' '.repeat(39)}
X-Added: appended value

body line with 24 octets
`,
  )
})

t.test('RecordFile stops when pointers lead in circles, or nowhere', (t) => {
  const circle = encodeRecord('p', '0'.padStart(15)) + encodeRecord('p', '17'.padStart(15))
  t.throws(() => withFile(circle, (fd) => new RecordFile(fd, 17).read()), {
    code: 'POSTHORN_QUEUE_RECORD',
  })
  for (const bad of ['-1', '1x', '', '1 2']) {
    t.throws(() => withFile(encodeRecord('p', bad), (fd) => new RecordFile(fd).read()), {
      code: 'POSTHORN_QUEUE_RECORD',
    })
  }
  t.equal(
    withFile(encodeRecord('p', '99'), (fd) => new RecordFile(fd).read()),
    undefined,
  )
  t.end()
})

interface Parts {
  size?: string
  envelope?: string
  content?: string
  extracted?: string
  flags?: number
}
const time = encodeRecord('T', '1795216000 5')
const sender = encodeRecord('S', 's@x.test')

function queueFile(parts: Parts): string {
  const envelope = parts.envelope ?? time + sender + encodeRecord('R', 'r@x.test')
  const content = parts.content ?? encodeRecord('N', 'Subject: x') + encodeRecord('N')
  const dataOffset = 97 + envelope.length + 2
  const size =
    parts.size ??
    encodeSizeRecord({
      dataSize: content.length,
      dataOffset,
      recipientCount: 1,
      flags: parts.flags ?? 0,
      contentLength: 0,
      smtputf8: 0,
    })
  return `${size}${envelope}M\0${content}X\0${parts.extracted ?? ''}E\0`
}

t.test('readEnvelope() tells corrupt files by what is wrong', (t) => {
  const padded = (fields: string): string => encodeRecord('C', fields.padEnd(95))
  const cases: readonly [Parts, RegExp][] = [
    [{ envelope: sender }, /missing arrival time record/],
    [{ envelope: time }, /missing sender record/],
    [{ size: '' }, /missing size record/],
    [{ size: padded('x y z') }, /invalid size record/],
    [{ size: padded('10 20') }, /invalid size record/],
    [{ size: padded('10 0 1 0 0 0') }, /invalid size record/],
    [{ flags: 32 }, /invalid flags in size record/],
    [{ envelope: `${time}${sender}w\0` }, /Unexpected record type 'w' at offset 121/],
    [{ envelope: `${time}${sender}N\0` }, /Unexpected record type 'N'/],
    [{ extracted: 'M\0' }, /Unexpected record type 'M'/],
    [{ envelope: `${time}${sender}${encodeRecord('A', 'novalue')}` }, /bad attribute record/],
    [{ envelope: `${time}${sender}${encodeRecord('A', '=v')}` }, /missing attribute name/],
    [{ envelope: `${time}${sender}${encodeRecord('p', 'x')}` }, /pointer record/],
  ]
  for (const [parts, why] of cases) {
    t.throws(() => withFile(queueFile(parts), (fd) => readEnvelope(fd)), why)
  }
  const shifted = queueFile({}).replace(encodeRecord('N'), encodeRecord('N', 'more'))
  t.throws(() => withFile(shifted, (fd) => readEnvelope(fd)), { code: 'POSTHORN_QUEUE_CORRUPT' })
  t.end()
})

t.test('readEnvelope() knows which of several values counts', (t) => {
  const envelope = [
    time,
    encodeRecord('L', 'first:filter'),
    encodeAttribute('log_ident', 'A1'),
    encodeAttribute('log_ident', 'A2'),
    encodeAttribute('client_name', 'real'),
    encodeAttribute('trace_flags', '1024'),
    encodeAttribute('envelope_id', 'ENV'),
    encodeAttribute('ret_flags', '2'),
    sender,
    encodeRecord('S', 'second@x.test'),
    encodeRecord('W', '     1795230372'),
    encodeRecord('V', '+='),
    encodeAttribute('encoding', '7bit'),
    encodeAttribute('notify_flags', '3'),
    encodeAttribute('notify_flags', '6'),
    encodeRecord('o', 'rfc822;o@x.test'),
    encodeRecord('O', 'o@x.test'),
    encodeRecord('R', 'r1@x.test'),
    encodeRecord('D', 'r2@x.test'),
    encodeRecord('R', 'r3@x.test\0junk'),
    encodeRecord('O', 'left@x.test'),
  ].join('')
  const extracted = [
    encodeRecord('L', 'last:filter'),
    encodeRecord('>', 'elsewhere@x.test'),
    encodeAttribute('encoding', '8bit'),
  ].join('')
  const octets = queueFile({ envelope, extracted })
  const read = withFile(octets, (fd) => readEnvelope(fd))
  t.match(read, {
    sender: 's@x.test',
    createSeconds: 1795216000,
    filter: 'last:filter',
    redirect: 'elsewhere@x.test',
    encoding: '8bit',
    logIdent: 'A1',
    client: { name: 'real' },
    traceFlags: 1024,
    envelopeId: 'ENV',
    returnFlags: 2,
    warnSeconds: 1795230372,
    verpDelimiters: '+=',
    recipientsSeen: 3,
    warnings: [
      'ignoring multiple log_ident attribute: A2',
      'ignoring malformed DSN notify flags <3>',
      'ignoring out-of-order original recipient <left@x.test>',
    ],
    recipients: [
      {
        recipient: 'r1@x.test',
        originalRecipient: 'o@x.test',
        dsnOriginalRecipient: 'rfc822;o@x.test',
        notifyFlags: 6,
      },
      { recipient: 'r3@x.test', originalRecipient: '', dsnOriginalRecipient: '', notifyFlags: 0 },
    ],
  })
  t.test('and marks change what is read next', (t) => {
    const marked = withFile(octets, (fd) => {
      markDone(fd, read.recipients[0]?.offset ?? 0)
      markKilled(fd, read.traceFlagsOffset)
      markWarned(fd, read.warnOffset)
      return readEnvelope(fd)
    })
    t.match(marked, { traceFlags: 0, traceFlagsOffset: 0, warnSeconds: -1, recipientsSeen: 3 })
    t.same(
      marked.recipients.map((each) => each.recipient),
      ['r3@x.test'],
    )
    t.end()
  })
  t.end()
})

t.test('readRecipients() goes on where the last read stopped', (t) => {
  const group = (name: string): string =>
    encodeAttribute('dsn_orig_rcpt', `rfc822;${name}`) +
    encodeRecord('O', name) +
    encodeRecord('R', name)
  const inEnvelope = Array.from({ length: 700 }, (_, n) => `e${n}@x.test`)
  const inExtracted = Array.from({ length: 500 }, (_, n) => `x${n}@x.test`)
  for (const flags of [0, 1]) {
    const octets = queueFile({
      envelope: time + sender + inEnvelope.map(group).join(''),
      extracted: encodeRecord('L', 'smtp:late') + inExtracted.map(group).join(''),
      flags,
    })
    for (const limit of [1, 300, 700, 1199, 1200, 5000]) {
      withFile(octets, (fd) => {
        const envelope = readEnvelope(fd, { recipientLimit: limit })
        t.equal(envelope.filter, 'smtp:late')
        const names = envelope.recipients.map((each) => each.recipient)
        let seen = envelope.recipientsSeen
        for (let resume = envelope.resumeOffset; resume > 0;) {
          const batch = readRecipients(fd, envelope.size, resume, limit)
          t.ok(batch.recipients.length <= limit)
          names.push(...batch.recipients.map((each) => each.recipient))
          seen += batch.recipientsSeen
          resume = batch.resumeOffset
        }
        t.same(names, [...inEnvelope, ...inExtracted])
        t.equal(seen, 1200)
      })
    }
  }
  t.end()
})

t.test('readContent() joins lines, and keeps to the size of a chunk', async (t) => {
  const long = 'x'.repeat(2048)
  const content = [
    encodeRecord('N', 'Subject: long'),
    encodeRecord('w', ' 0'),
    encodeRecord('N'),
    encodeRecord('L', long).repeat(1000),
    encodeRecord('N', 'end'),
    encodeRecord('N', '\x00\xff'),
  ].join('')
  const octets = queueFile({ content })
  const dataOffset = octets.indexOf('M\0') + 2
  const expected = `Subject: long\r\n\r\n${long.repeat(1000)}end\r\n\x00\xff\r\n`
  t.ok((await text(octets, dataOffset, '\r\n')) === expected)
  await t.rejects(text(octets.slice(0, 200_000), dataOffset), { code: 'POSTHORN_QUEUE_CORRUPT' })
  await t.rejects(text(octets.slice(0, 200), dataOffset), { code: 'POSTHORN_QUEUE_CORRUPT' })
  await t.rejects(text(queueFile({ content: encodeRecord('R', 'x') }), dataOffset), {
    code: 'POSTHORN_QUEUE_CORRUPT',
  })
})

t.test('readEnvelope() survives garbage', (t) => {
  const octets = queueFile({})
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(octets.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (changes) => {
        let damaged = octets
        for (const [at, octet] of changes) {
          damaged = damaged.slice(0, at) + String.fromCharCode(octet) + damaged.slice(at + 1)
        }
        try {
          withFile(damaged, (fd) => readEnvelope(fd))
        } catch (error) {
          if (!(error instanceof QueueFileCorruptError)) throw error
        }
      },
    ),
  )
  t.end()
})
