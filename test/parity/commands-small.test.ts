/**
 * commands-small - postdrop, postlog, postkick and postqueue while the mail system is down
 *
 * Good and bad command lines, good and bad input. Needs root and Postfix 3.7.
 */
import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { comparable } from './both-systems.ts'
import { compareCommands, layOutBoth, takeSubmissions, type CommandCase } from './command-lines.ts'

const instances = await layOutBoth(t, { main: { fast_flush_domains: 'fast.test' } })

function record(type: string, payload = ''): string {
  const low = (payload.length & 0x7f) | (payload.length > 0x7f ? 0x80 : 0)
  const high = payload.length > 0x7f ? String.fromCharCode(payload.length >> 7) : ''
  return type + String.fromCharCode(low) + high + payload
}

const GOOD = record('S', 'a@x.test') + record('R', 'b@x.test')
const BODY = record('M') + record('N', 'Subject: s') + record('X') + record('E')

/** Not here: NUL, CR and LF in envelope records, which we refuse, as Postfix does from 3.12 on. */
const SUBMISSIONS: readonly string[] = [
  GOOD + BODY,
  `${GOOD}${BODY}trailing`,
  GOOD + record('M') + record('N', 'a\0b') + record('L', 'x') + record('X') + record('E'),
  GOOD + record('M') + record('X') + record('R', 'c@x.test') + record('E'),
  GOOD +
    record('A', 'encoding = 8bit ') +
    record('A', 'encoding=9bit') +
    record('A', 'encoding=') +
    BODY,
  GOOD + record('A', 'rewrite_context=remote') + record('A', 'rewrite_context=x') + BODY,
  GOOD +
    record('A', 'a=b') +
    record('A', 'a b') +
    record('A', '') +
    record('A', '=') +
    record('A', '=b') +
    BODY,
  GOOD +
    record('A', 'trace_flags=99') +
    record('A', 'ret_flags=zzz') +
    record('A', 'notify_flags=1') +
    BODY,
  GOOD +
    record('A', 'envelope_id=x') +
    record('A', 'dsn_orig_rcpt=rfc822;x') +
    record('A', 'create_time=7') +
    BODY,
  GOOD + record('F', 'Name') + record('V', '+=') + record('n', '1') + record('i', 'x') + BODY,
  record('F', 'Name') + record('S', '') + record('R', '') + BODY,
  record('S', 'a') + record('S', 'b') + record('R', 'x') + BODY,
  record('S', 'a') + BODY,
  record('R', 'a') + BODY,
  BODY,
  record('S', 'a\0b') + record('R', 'x') + BODY,
  record('C', 'x'),
  record('T', '1') + GOOD + BODY,
  GOOD + record('O', 'x') + BODY,
  GOOD + record('E'),
  GOOD + record('M') + record('E'),
  GOOD + record('M') + record('R', 'x') + record('X') + record('E'),
  GOOD + record('M') + record('X') + record('S', 'x') + record('E'),
  GOOD + record('M') + record('X'),
  GOOD + record('M') + record('N', 'x'),
  GOOD,
  '',
  'g',
  'g\xff',
  'garbage',
  'g\xff\xff\xff\xff\xff\xff\xff\xff\x01',
  'S\xff\xff\x7fabc',
  `${record('S', 'x'.repeat(2048))}${record('R', 'y')}${BODY}`,
  `${record('S', 'x'.repeat(2049))}${record('R', 'y')}${BODY}`,
  'S\x80',
]

const postdrop = SUBMISSIONS.map((input): CommandCase => ({
  words: ['postdrop', '-r'],
  input: Buffer.from(input, 'latin1'),
  observe: takeSubmissions,
}))

async function takeLog(instance: Instance): Promise<string> {
  const text = await readFile(instance.logFile, 'latin1').catch(() => '')
  await rm(instance.logFile, { force: true })
  return comparable(text)
}

const postlog = [
  ['hello'],
  ['two', 'words'],
  ['-p', 'info', 'x'],
  ['-p', 'warn', 'x'],
  ['-p', 'warning', 'x'],
  ['-p', 'error', 'x'],
  ['-p', 'err', 'x'],
  ['-p', 'fatal', 'x'],
  ['-p', 'crit', 'x'],
  ['-p', 'panic', 'x'],
  ['-p', 'WARN', 'x'],
  ['-p', 'debug', 'x'],
  ['-p', '', 'x'],
  ['-p'],
  ['-t', 'tag', 'x'],
  ['-t', 'a/b', 'x'],
  ['-t', '', 'x'],
  ['-ttag', '-pwarn', 'x'],
  ['-it', 'tag', 'x'],
  ['-i', 'x'],
  ['-e', 'x'],
  ['-x'],
  ['--', '-x'],
  ['x', '-t', 'y'],
  ['a\tb\x01c\x7fé'],
  ['x'.repeat(3000)],
  [''],
  ['-c', '/nonexistent', 'x'],
].map((args): CommandCase => ({ words: ['postlog', ...args], observe: takeLog }))

const postlogInput = [
  'one\ntwo\n',
  'no end',
  '',
  '\n\n',
  'a\0b\nc\n',
  `${'y'.repeat(5000)}\nz\n`,
  'a\r\nb\n',
].map((input): CommandCase => ({ words: ['postlog', '-t', 'tag'], input, observe: takeLog }))

const postkick: readonly CommandCase[] = [
  [],
  ['public'],
  ['public', 'qmgr'],
  ['public', 'qmgr', 'W', 'more'],
  ['public', 'none', 'W'],
  ['public', 'regular', 'W'],
  ['public', 'fifo', 'W'],
  ['public', 'stale', 'W'],
  ['public', '.', 'W'],
  ['none', 'qmgr', 'W'],
  ['-x', 'public', 'none', 'W'],
  ['-c'],
  ['-c', '/nonexistent', 'public', 'none', 'W'],
].map((args) => ({ words: ['postkick', ...args] }))

const postqueue: readonly CommandCase[] = [
  [],
  ['-p'],
  ['-j'],
  ['-f'],
  ['-i', 'ABCDEF0123'],
  ['-i', 'no id'],
  ['-i', ''],
  ['-i', 'lower'],
  ['-i', '../x'],
  ['-s', 'fast.test'],
  ['-s', 'x.fast.test'],
  ['-s', 'slow.test'],
  ['-s', ''],
  ['-s', 'bad_domain..x'],
  ['-s', '[127.0.0.1]'],
  ['-s', '[x]'],
  ['-s', '127.0.0.1'],
  ['-p', '-j'],
  ['-f', '-p'],
  ['-p', '-p'],
  ['-p', 'x'],
  ['-i'],
  ['-s'],
  ['-x'],
  ['x'],
  ['-c', '/nonexistent', '-p'],
].map((args) => ({ words: ['postqueue', ...args] }))

const others: readonly CommandCase[] = [
  { words: ['postdrop', '-x'] },
  { words: ['postdrop', '-c'] },
  { words: ['postdrop', '-c', '/nonexistent'] },
  { words: ['postdrop', 'word'] },
  { words: ['postsuper', '-c', '/nonexistent'] },
  { words: ['postcat', '-c', '/nonexistent'] },
]

async function standIn(instance: Instance): Promise<void> {
  const directory = join(instance.queueDirectory, 'public')
  await writeFile(join(directory, 'regular'), '')
  await promisify(execFile)('mkfifo', [join(directory, 'fifo')])
  const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  await promisify(execFile)(process.execPath, ['-e', script, join(directory, 'stale')]).catch(
    () => undefined,
  )
}

t.test('postdrop', async (t) => compareCommands(t, postdrop, instances))
t.test('postlog', async (t) => {
  for (const instance of Object.values(instances)) await takeLog(instance)
  await compareCommands(t, [...postlog, ...postlogInput], instances)
})
t.test('postkick', async (t) => {
  for (const instance of Object.values(instances)) await standIn(instance)
  await compareCommands(t, postkick, instances)
})
t.test('postqueue', async (t) => compareCommands(t, postqueue, instances))
t.test('options of others', async (t) => compareCommands(t, others, instances))
