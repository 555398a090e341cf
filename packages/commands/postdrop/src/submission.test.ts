/** submission.test - what a local user may put into the maildrop directory */
import t from 'tap'
import { MalformedSubmissionError, Submission } from './submission.ts'
import { parseRecord } from '@posthorn/queue/record'

type Given = readonly [type: string, payload: string]

const envelope: Given[] = [
  ['S', 'a@b.c'],
  ['R', 'd@e.f'],
]
const content: Given[] = [
  ['M', 'zz'],
  ['N', 'Subject: x'],
  ['X', ''],
]

function run(records: readonly Given[]): {
  stored: string[]
  warned: string[]
  submission: Submission
} {
  const warned: string[] = []
  const submission = new Submission((text) => warned.push(text))
  const stored: string[] = []
  for (const [type, payload] of records) {
    const octets = submission.take({ type, payload })
    const record = octets === '' ? undefined : parseRecord(octets)
    if (record !== undefined) stored.push(`${record.type} ${record.payload}`)
  }
  return { stored, warned, submission }
}

t.test('Submission keeps what the sendmail command writes', (t) => {
  const { stored, submission, warned } = run([
    ['A', 'envelope_id=x'],
    ['A', ' rewrite_context = local '],
    ['F', 'Full Name'],
    ...envelope,
    ...content,
    ['A', 'notify_flags=4'],
    ['R', 'h@i.j'],
    ['E', ''],
  ])
  t.strictSame(stored, [
    ...['A envelope_id=x', 'A rewrite_context=local', 'F Full Name', 'S a@b.c', 'R d@e.f'],
    ...['M ', 'N Subject: x', 'X ', 'A notify_flags=4', 'R h@i.j', 'E '],
  ])
  t.ok(submission.isComplete)
  t.equal(submission.complaint, undefined)
  t.strictSame(warned, [])
  t.end()
})

t.test('Submission drops attributes that are not the business of users', (t) => {
  const { stored, warned } = run([
    ['A', 'log_client_address=1.2.3.4'],
    ['A', 'encoding=9bit'],
    ['A', 'rewrite_context=other'],
    ['A', 'nonsense'],
    ...envelope,
  ])
  t.strictSame(stored, ['S a@b.c', 'R d@e.f'])
  t.equal(warned.length, 4)
  t.match(warned[3], /ignoring malformed record: missing '=' after attribute name: nonsense/)
  t.end()
})

t.test('Submission refuses what is not a submission', (t) => {
  const bad: Given[][] = [
    [['T', '1 2']],
    [['C', '1']],
    [['O', 'x']],
    [['p', '0']],
    [['D', 'x']],
    [...envelope, ['X', '']],
    [...envelope, ['M', ''], ['p', '5']],
    [...envelope, ['M', ''], ['E', '']],
    [...envelope, ...content, ['S', 'x']],
  ]
  for (const records of bad) t.throws(() => run(records), MalformedSubmissionError)
  t.end()
})

t.test('Submission asks for a sender, a recipient and clean addresses', (t) => {
  const end: Given[] = [...content, ['E', '']]
  t.equal(run([['S', 'a'], ...end]).submission.complaint, '')
  t.equal(run([['R', 'a'], ...end]).submission.complaint, '')
  const split = run([['S', 'a\0b'], ['R', 'c\nd'], ...end])
  t.equal(split.submission.complaint, 'NUL in FROM record')
  t.strictSame(split.stored, ['M ', 'N Subject: x', 'X ', 'E '])
  t.equal(run([['S', 'a'], ['R', 'c\nd'], ...end]).submission.complaint, 'LF in RCPT record')
  t.end()
})

t.test('Submission: a size says what is asked for, and no size', (t) => {
  const wish = (payload: string): string[] => run([['C', payload], ...envelope]).stored
  t.strictSame(wish('-1 -1 -1 -1 -1 32').slice(0, 1), [
    `C ${'-1 '.padStart(16).repeat(5)}${'32'.padStart(15)}`,
  ])
  t.strictSame(wish('-1 -1 -1 -1 -1 0')[0]?.trim().endsWith('0'), true)
  const bad = [
    '',
    '32',
    '-1 -1 -1 -1 -1',
    '-1 -1 -1 -1 -1 16',
    '-1 -1 -1 -1 -1 33',
    '100 200 1 0 100 32',
    '-1 -1 -1 -1 -1 32 1',
  ]
  for (const payload of bad) t.throws(() => wish(payload), MalformedSubmissionError, payload)
  t.throws(() => run([...envelope, ...content, ['C', '-1 -1 -1 -1 -1 32']]))
  t.end()
})
