/**
 * postconf-edit - both systems change main.cf and master.cf alike
 *
 * Each command is given copies of the same files; the files it leaves, what it says and its status must be the same.
 * Not compared, and on purpose otherwise with us: a last line without line feed (Postfix 3.7 glues the new line to it), the
 * order of added lines (Postfix: of its hash table), comments behind an entry that -F or -P changes (Postfix moves
 * them above it), a field without value (Postfix writes a broken entry), and the copy that a failed edit leaves.
 */
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { postconf } from '@posthorn/postconf/postconf'
import { execa } from 'execa'
import t, { type Test } from 'tap'
import { SYSTEMS } from './both-systems.ts'

const MAIN = `# the head
a = 1
b = 2
  continued
# a comment in between

  and more
a = 3
 # behind
last = x
`
const MASTER = `# the head
a unix - - - - - p -o x=1 -o y=2 -o x=3 arg { two  words }
bad line
# about b
b unix - - - - 10 p
# inside

 -v -vo z=1
 -o { blank = a b }
c inet n - n - - q
`
const UNEDITABLE = `${MASTER}c=d unix - - - - - p\n`

interface Edited {
  readonly status: number
  readonly diagnostics: readonly string[]
  readonly main: string
  readonly master: string
}

interface Files {
  readonly main: string
  readonly master: string
}

function makeSite(t: Test, files: Files): string {
  const directory = mkdtempSync(join(tmpdir(), 'parity-edit-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  for (const name of ['main', 'master'] as const) {
    const path = join(directory, `${name}.cf`)
    writeFileSync(path, files[name], 'latin1')
    utimesSync(path, 1e9, 1e9)
  }
  return directory
}

async function edit(
  t: Test,
  system: (typeof SYSTEMS)[number],
  files: Files,
  args: readonly string[],
): Promise<Edited> {
  const directory = makeSite(t, files)
  let status: number
  let stderr = ''
  if (system === 'postfix') {
    const done = await execa('/usr/sbin/postconf', ['-c', directory, ...args], { reject: false })
    status = done.exitCode ?? -1
    stderr = done.stderr
  } else {
    const output = { print: () => undefined, complain: (text: string) => (stderr += `${text}\n`) }
    const octets = args.map((text) => Buffer.from(text).toString('latin1'))
    status = await postconf(['-c', directory, ...octets], output)
  }
  const diagnostics = stderr
    .replaceAll(directory, 'DIR')
    .split('\n')
    .map((line) => line.replace(/^\S*postconf: /, ''))
    .filter((line) => line !== '')
  const read = (name: string): string => readFileSync(join(directory, `${name}.cf`), 'latin1')
  return { status, diagnostics, main: read('main'), master: read('master') }
}

async function expectSame(
  t: Test,
  commands: readonly (readonly string[])[],
  files: Files = { main: MAIN, master: MASTER },
): Promise<void> {
  const checks = commands.map(async (args) => {
    const [postfix, posthorn] = await Promise.all(
      SYSTEMS.map(async (system) => edit(t, system, files, args)),
    )
    return () => t.same(posthorn, postfix, `postconf ${args.join(' ')}`)
  })
  for (const check of await Promise.all(checks)) check()
}

t.test('parameters of main.cf are changed alike', async (t) => {
  await expectSame(t, [
    ['a=7'],
    ['-e', 'a = 7', 'b='],
    ['new=x  y '],
    ['a=7', 'a=8', 'b=1', 'b=1'],
    [' spaced = 1'],
    ['last=y'],
    ['-X', 'a'],
    ['-X', 'b', 'nosuch'],
    ['-#', 'a', 'b', 'last'],
    ['-#', 'nosuch'],
    ['-e'],
    ['-X'],
    ['-e', 'a'],
    ['=1'],
    ['a b=1'],
    ['-e', '#a=1'],
    ['-e', ' # a=1'],
    ['-X', 'a=1'],
    ['-X', 'a', 'b=1'],
    ['-X', ' '],
    ['-X', ''],
    ['-X', '#a'],
    ['-X', 'a b'],
    ['-e', 'a=1\nb=2'],
    ['-X', 'a\n'],
  ])
  const junk = { main: 'junk\n= foo\n\ta = 0\na=1\r\n  x\r\n\xc3\xa4 = 1\na\\ = c\n', master: '' }
  await expectSame(t, [['a=2'], ['\xe4=2'], ['-X', 'a'], ['-#', 'junk', 'a\\']], junk)
})

t.test('services of master.cf are changed alike', async (t) => {
  await expectSame(t, [
    ['-M', 'a/unix=a unix n - n - - q -o a=b -v  { x  y }  { z  z }'],
    ['-M', 'a/unix=other inet n - n - - q'],
    ['-M', 'new/unix=new unix n - n - - q -o a=b'],
    ['-M', 'new/unix=newer unix n - n - - q'],
    ['-M', 'new/unix=b unix n - n - - q'],
    ['-M', '*/unix=b unix n - n - - q'],
    ['-M', 'b/unix=a unix n - n - - q'],
    ['-M', 'a/unix=a unix - - - - - q', 'a/unix=a unix - - - - - r'],
    ['-M', 'a/unix=a unix - - - - - q', '*/unix=z unix - - - - - r'],
    ['-M', '*/unix=z unix - - - - - r', 'a/unix=a unix - - - - - q'],
    ['-Me', 'a=a unix - - - - - q'],
    ['-M', 'a/unix=a unix n'],
    ['-M', 'a/unix=a unix x - n - - q'],
    ['-M', 'a/unix='],
    ['-M', 'a/unix=a unix - - -\n - - q'],
    ['-M', '-e'],
    ['-M', '-e', 'a/unix'],
    ['-M', '#a/unix=x'],
    ['-MX', 'a/unix', 'nosuch/unix'],
    ['-MX', 'b/*'],
    ['-MX', '*/inet', 'bad/line'],
    ['-M#', 'a/unix', 'b/unix'],
    ['-M#', '*/*'],
    ['-MX', 'a'],
    ['-MX', 'a/'],
    ['-MX', 'a/unix/x'],
    ['-MX', '/unix'],
    ['-MX', 'a*/unix'],
    ['-MX', 'a/*', 'b/unix=x'],
    ['-MX'],
    ['-M#'],
  ])
})

t.test('fields and parameters of master.cf are changed alike', async (t) => {
  await expectSame(t, [
    ['-F', 'a/unix/chroot=y'],
    ['-F', 'b/unix/chroot=y', 'b/unix/wakeup=60?', 'b/unix/chroot=n'],
    ['-F', 'b/unix/service=d', 'b/unix/type=fifo'],
    ['-F', 'b/unix/service=d', 'd/unix/private=n'],
    ['-F', 'a/unix/command=q   -v   -oa=b {c  d} {e  f}'],
    ['-F', 'c/*/process_limit=5', '*/inet/private=-'],
    ['-F', 'nosuch/unix/chroot=n'],
    ['-F', 'b/unix/chroot=x'],
    ['-F', 'b/unix/process_limit=ten'],
    ['-F', 'b/unix/type=foo'],
    ['-F', 'b/unix/chroot=n y'],
    ['-F', 'b/unix/nosuch=n'],
    ['-F', 'b/unix/*=n'],
    ['-F', 'b/unix=n'],
    ['-F', 'bad/line/chroot=y'],
    ['-Fe', 'b/unix/wakeup'],
    ['-Fe'],
    ['-P', 'a/unix/y=7', 'a/unix/new=$x${y}', 'a/unix/empty='],
    ['-P', 'a/unix/x=9', 'a/unix/n=1', 'a/unix/n=2'],
    ['-P', 'b/unix/z=2', 'c/inet/a.b=1'],
    ['-P', '*/inet/z=2'],
    ['-P', 'nosuch/unix/a=1'],
    ['-P', 'b/unix/a=x y'],
    ['-P', 'b/unix/a={x y}'],
    ['-P', 'b/unix/*=1'],
    ['-P', 'b/unix/=1'],
    ['-PX', 'a/unix/x', 'a/unix/absent'],
    ['-PX', 'b/unix/blank', 'b/unix/z'],
    ['-PX', 'b/unix/*'],
    ['-PX', 'b/unix'],
    ['-PX', 'nosuch/unix/x'],
    ['-PX'],
    ['-Pe'],
  ])
  await expectSame(
    t,
    [
      ['-MX', 'a/unix'],
      ['-F', 'a/unix/chroot=y'],
      ['-P', 'a/unix/x=y'],
    ],
    { main: MAIN, master: UNEDITABLE },
  )
})
