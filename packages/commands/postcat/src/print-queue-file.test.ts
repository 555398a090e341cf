import { encodeRecord } from '@posthorn/queue/record'
import { encodeSizeRecord } from '@posthorn/queue/size-record'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { parsePostcatOptions } from './postcat-options.ts'
import { printQueueFile } from './print-queue-file.ts'

process.env['TZ'] = 'UTC'
process.chdir(t.testdir({}))

function show(argv: readonly string[], octets: string): { text: string; warnings: string[] } {
  writeFileSync('file', octets, 'latin1')
  const fd = openSync('file', 'r')
  const warnings: string[] = []
  try {
    const chunks = printQueueFile(fd, 'PATH', parsePostcatOptions(argv), (warning) => {
      warnings.push(warning)
    })
    return { text: [...chunks].join(''), warnings }
  } finally {
    closeSync(fd)
  }
}

const p = (target: number): string => encodeRecord('p', String(target).padStart(15))
const size = { dataSize: 104, dataOffset: 157, recipientCount: 1, flags: 0, smtputf8: 0 }
const file = [
  encodeSizeRecord({ ...size, contentLength: 104 }), // 0
  encodeRecord('T', '1795215972 5'), // 97
  encodeRecord('A', 'x=y'), // 111
  encodeRecord('S', 'a@b.c'), // 116
  encodeRecord('W', '-1'), // 123
  encodeRecord('L', 'scan:x'), // 127
  encodeRecord('m', '1'), // 135
  encodeRecord('R', 'longer@e.fgh'), // 138
  encodeRecord('K', 'x'), // 152
  encodeRecord('M'), // 155
  p(0), // 157
  encodeRecord('N', 'From: x'), // 174
  encodeRecord('w', '  0'), // 183
  encodeRecord('N', ' more'), // 188
  encodeRecord('N'), // 195
  encodeRecord('L', 'half '), // 197
  encodeRecord('N', 'X: of a line\xe9 with 36 octets in it'), // 204
  encodeRecord('X'),
  encodeRecord('A', 'create_time=1795215972'),
  encodeRecord('E'),
].join('')
const moved = encodeRecord('N', 'To: y')

t.test('printQueueFile() prints all, or what is asked for', (t) => {
  const octets = file.replace(p(0), p(file.length)) + moved + p(174)
  t.equal(
    show([], octets).text,
    `*** ENVELOPE RECORDS PATH ***
message_size:             104             157               1               0             104               0
message_arrival_time: Fri Nov 20 23:06:12 2026
named_attribute: x=y
sender: a@b.c
warning_message_time: Wed Dec 31 23:59:59 1969
content_filter: scan:x
unknown_record_type: 1
recipient: longer@e.fgh
killed_record: x
*** MESSAGE CONTENTS PATH ***
To: y
From: x
 more

half X: of a line\xe9 with 36 octets in it
*** HEADER EXTRACTED PATH ***
create_time: Fri Nov 20 23:06:12 2026
*** MESSAGE FILE END PATH ***
`,
  )
  t.equal(show(['-h'], octets).text, 'To: y\nFrom: x\n more\n')
  t.equal(show(['-b'], octets).text, '\nhalf X: of a line\xe9 with 36 octets in it\n')
  t.match(show(['-vdo'], octets).text, /^ {6}157 112 pointer_record: +\d+$/m)
  t.match(show(['-vo'], octets).text, /^ {6}183 padding: {3}0$/m)
  t.match(show(['-vo'], octets).text, /^ {6}197 unterminated_text: half $/m)
  t.match(show(['-o'], octets).text, /^ {6}183 {2}more$/m, 'the offset is that of the padding')
  t.match(show(['-vr'], octets).text, /FILE END PATH \*\*\*\nregular_text: To: y\npointer_record/)
  t.end()
})

t.test('printQueueFile() warns, and throws at damage', (t) => {
  t.same(show([], `#!/bin/sh ${'x'.repeat(40)}`), {
    text: '',
    warnings: ['PATH: input is not a valid queue file'],
  })
  t.same(show([], ''), { text: '', warnings: [] })
  t.throws(() => show([], file.slice(0, 120)), { code: 'POSTHORN_QUEUE_RECORD' })
  t.match(show(['-s', '197'], file).warnings, ['PATH: out-of-order extracted segment marker'])
  t.throws(() => parsePostcatOptions(['-s', 'x']), { message: 'bad offset: x' })
  t.end()
})
