/**
 * commands-postcat - every option of postcat(1), on good and on damaged queue files
 *
 * Needs root and Postfix 3.7.
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { compareCommands, layOutBoth, type CommandCase } from './command-lines.ts'

const instances = await layOutBoth(t)
const directory = await mkdtemp(join(tmpdir(), 'parity-files-'))
t.teardown(async () => rm(directory, { recursive: true, force: true }))

function record(type: string, payload = ''): string {
  const low = (payload.length & 0x7f) | (payload.length > 0x7f ? 0x80 : 0)
  const high = payload.length > 0x7f ? String.fromCharCode(payload.length >> 7) : ''
  return type + String.fromCharCode(low) + high + payload
}

const ENVELOPE = [
  record('T', '1795215826 163043'),
  record('A', 'log_ident=ABCDEF0123'),
  record('A', 'rewrite_context=local'),
  record('A', 'create_time=1795215826'),
  record('F', 'Full Name'),
  record('S', 'me@example.org'),
].join('')
/** The size record names the place and the length of the content, and postcat(1) believes it. */
function sized(recipients: string, content: string): string {
  const fields = [
    content.length,
    97 + ENVELOPE.length + recipients.length + 2,
    1,
    0,
    content.length,
    0,
  ]
  const size = record('C', fields.map((field) => String(field).padStart(15)).join(' '))
  return size + ENVELOPE + recipients + record('M') + content
}
const RECIPIENTS = record('A', 'dsn_orig_rcpt=rfc822;b@c') + record('O', 'b@c') + record('R', 'b@c')
const CONTENT = ['Subject: hi', ' there', 'X-Long: y', '', 'body', 'To: no header']
  .map((line) => record('N', line))
  .join('')
const TAIL = record('X') + record('E')

const HEAD = ENVELOPE // of files whose size record does not matter

const FILES: Readonly<Record<string, string>> = {
  good: sized(RECIPIENTS, CONTENT) + TAIL,
  noSize: sized(RECIPIENTS, '') + CONTENT + TAIL,
  shortSize: `${record('C', '12')}${HEAD}${record('M')}${CONTENT}${TAIL}`,
  extracted: `${sized('', CONTENT)}${record('X')}${record('r', 'x')}${RECIPIENTS}${record('E')}`,
  allRecords: `${HEAD}${[
    'I',
    'L',
    'c',
    'D',
    '/',
    'W',
    'K',
    '>',
    'V',
    '<',
    'i',
    'o',
    'n',
    'e',
    'P',
    'f',
    'm',
    'B',
    'Q',
  ]
    .map((type) => record(type, '1795215826'))
    .join('')}${record('M')}${TAIL}`,
  badTime:
    record('T', 'x') +
    record('W', '') +
    record('A', 'create_time=x') +
    record('A', 'noequals') +
    record('A', '=x') +
    record('S', '') +
    record('M') +
    TAIL,
  longLines: `${HEAD}${record('M')}${record('L', 'a'.repeat(200))}${record('L', 'b')}${record('N', 'c')}${record('L', 'open')}${TAIL}`,
  padded: sized(record('w', '     ') + record('p', '              0') + RECIPIENTS, CONTENT) + TAIL,
  noHeader: sized('', record('N', 'no header here') + record('N', 'X: y')) + TAIL,
  emptyContent: HEAD + record('M') + TAIL,
  nul: `${HEAD}${record('R', 'a\0b')}${record('M')}${record('N', 'X: a\0b')}${record('N', '')}${record('N', 'c\0d\x01\xff')}${TAIL}`,
  outOfOrder: HEAD + record('X') + record('R', 'a') + record('M') + CONTENT + record('E'),
  twice: `${HEAD}${record('M')}${CONTENT}${record('M')}${CONTENT}${TAIL}`,
  textInEnvelope: `${HEAD}${record('N', 'text')}${record('L', 'filter:x')}${record('M')}${TAIL}`,
  envelopeInText: `${HEAD}${record('M')}${CONTENT}${record('R', 'a@b')}${record('A', 'x=y')}${TAIL}`,
  trailing: `${HEAD}${record('M')}${CONTENT}${TAIL}trailing`,
  empty: '',
  noEnd: HEAD + RECIPIENTS + record('M') + CONTENT,
  cutInLength: `${HEAD}R`,
  cutInData: `${HEAD}R\x30abc`,
  badLength: `${HEAD}R\xff\xff\xff\xff\xff\xff\xff\x01`,
  endInEnvelope: HEAD + record('E'),
  text: 'this is no queue file\n',
  binary: '\x01\x02\x03',
  badPointer: `${HEAD}${record('p', 'x')}${RECIPIENTS}${record('M')}${TAIL}`,
  farPointer: `${HEAD}${record('p', '         999999')}${RECIPIENTS}${record('M')}${TAIL}`,
  negativePointer: `${HEAD}${record('p', '-5')}${RECIPIENTS}${record('M')}${TAIL}`,
}
for (const [name, octets] of Object.entries(FILES)) {
  await writeFile(join(directory, name), octets, 'latin1')
}
for (const instance of Object.values(instances)) {
  for (const [queue, id] of [
    ['deferred/A', 'ABCDEF0123'],
    ['hold', 'ABCDEF0124'],
    ['incoming', 'ABCDEF0125'],
    ['corrupt', 'ABCDEF0126'],
  ] as const) {
    await mkdir(join(instance.queueDirectory, queue), { recursive: true })
    const path = join(instance.queueDirectory, queue, id)
    await writeFile(path, FILES['good'] ?? '', 'latin1')
    await chmod(path, 0o700)
  }
}

const OPTIONS = [
  '',
  '-v',
  '-e',
  '-h',
  '-b',
  '-o',
  '-d',
  '-r',
  '-vo',
  '-vd',
  '-vr',
  '-vro',
  '-od',
  '-bh',
  '-eb',
  '-bo',
  '-hd',
  '-s0',
  '-s 99',
]
const onFiles = Object.keys(FILES).flatMap((name) =>
  // Postfix skips what is not asked for by means of the size record; without a good one it gets lost
  (name === 'good' || name === 'padded' ? OPTIONS : ['', '-v', '-o', '-vr']).map(
    (option): CommandCase => ({
      words: ['postcat', ...option.split(' ').filter((word) => word !== ''), join(directory, name)],
    }),
  ),
)

/** Not here: a good file through a pipe, at whose end Postfix fails. */
const lines: readonly CommandCase[] = [
  { words: ['postcat'], input: '' },
  { words: ['postcat', '-b', '-'], input: 'x' },
  ...[
    ['-q', 'ABCDEF0123'],
    ['-q', 'ABCDEF0124'],
    ['-q', 'ABCDEF0123', 'ABCDEF0125'],
    ['-q', 'ABCDEF0126'],
    ['-q', 'ABCDEF0127'],
    ['-q', 'no id'],
    ['-q', '../hold/ABCDEF0124'],
    ['-q'],
    ['-bq', 'ABCDEF0123'],
    ['/nonexistent'],
    ['/'],
    [join(directory, 'good'), join(directory, 'text'), join(directory, 'empty')],
    [join(directory, 'good'), '/nonexistent', join(directory, 'good')],
    ['-s', 'x', join(directory, 'good')],
    ['-s', '-1', join(directory, 'good')],
    ['-s', '99999999', join(directory, 'good')],
    ['-s'],
    ['-z'],
    ['-c'],
  ].map((args): CommandCase => ({ words: ['postcat', ...args] })),
]

t.test('files', async (t) => compareCommands(t, onFiles, instances))
t.test('command lines', async (t) => compareCommands(t, lines, instances))
