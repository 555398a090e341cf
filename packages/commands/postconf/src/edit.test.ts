import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { postconf } from './postconf.ts'

const MAIN = '# head\na = 1\n  more\n# note\n  last\nb = 2\na = 3\nc = 4'
const MASTER = `# head
one unix - - n - - p -o x=1 -o y=2 arg { two words }
broken line
# about two
two unix - - n - - p
# inside
 -v -o z=1
# behind
`

interface Editor {
  readonly directory: string
  /** What the file has after the command, which must succeed. */
  readonly main: (...args: string[]) => Promise<string>
  readonly master: (...args: string[]) => Promise<string>
  /** What the command says when it refuses. */
  readonly refused: (...args: string[]) => Promise<string>
}

function openEditor(t: Test): Editor {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-postconf-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const run = async (args: readonly string[]): Promise<{ status: number; stderr: string }> => {
    let stderr = ''
    const output = { print: () => undefined, complain: (text: string) => (stderr += `${text}\n`) }
    return { status: await postconf(['-c', directory, ...args], output), stderr }
  }
  const edit = async (name: string, source: string, args: string[]): Promise<string> => {
    writeFileSync(join(directory, name), source)
    const { status, stderr } = await run(args)
    t.equal(status, 0, stderr)
    t.notOk(existsSync(join(directory, `${name}.tmp`)))
    return readFileSync(join(directory, name), 'latin1')
  }
  return {
    directory,
    main: async (...args) => edit('main.cf', MAIN, args),
    master: async (...args) => edit('master.cf', MASTER, args),
    refused: async (...args) => {
      writeFileSync(join(directory, 'main.cf'), MAIN)
      writeFileSync(join(directory, 'master.cf'), MASTER)
      const { status, stderr } = await run(args)
      t.equal(status, 1, stderr)
      for (const name of ['main.cf', 'master.cf']) {
        const source = name === 'main.cf' ? MAIN : MASTER
        t.equal(readFileSync(join(directory, name), 'latin1'), source, 'nothing has changed')
        t.notOk(existsSync(join(directory, `${name}.tmp`)), 'no copy is left behind')
      }
      return stderr.trim()
    },
  }
}

t.test('postconf -e, -X and -# change main.cf in place', async (t) => {
  const { main, refused } = openEditor(t)
  t.equal(await main('b=x y'), '# head\na = 1\n  more\n# note\n  last\nb = x y\na = 3\nc = 4\n')
  t.equal(await main('-e', 'a = 9', 'd='), '# head\na = 9\n# note\nb = 2\na = 9\nc = 4\nd = \n')
  t.equal(await main('-X', 'a', 'nosuch'), '# head\n# note\nb = 2\nc = 4')
  t.equal(await main('-#', 'a'), '# head\n#a = 1\n#  more\n# note\n#  last\nb = 2\n#a = 3\nc = 4')
  t.match(await refused('-e'), /-e requires name=value/)
  t.match(await refused('-X', ' '), /non-blank parameter names/)
  t.match(await refused('-X', 'a', 'b=1'), /parameter names without value/)
  t.match(await refused('-e', 'a=b\nc'), /no multi-line input/)
  t.match(await refused('-e', ' # a=b'), /no comment input/)
})

t.test('postconf -M with -e, -X and -# changes services', async (t) => {
  const { master, refused } = openEditor(t)
  const text = await master('-M', 'two/unix=two inet n - n - - q -o a=b {c d} -v')
  t.equal(
    text,
    MASTER.replace(
      /^two[^]*z=1\n/m,
      'two        inet  n       -       n       -       -       q\n    -o a=b\n    c d -v\n# inside\n',
    ),
  )
  t.match(await master('-M', 'new/unix=new unix - - - - - r'), /# behind\nnew +unix .* r\n$/)
  t.match(await master('-M', '*/unix=two unix - - - - - r'), /^# head\ntwo .* r\nbroken.*\n# ab/)
  t.equal(await master('-MX', 'two/unix', 'nosuch/unix'), MASTER.replace(/^two.*\n| -v.*\n/gm, ''))
  t.equal(await master('-M#', 'two/*'), MASTER.replace(/^two| -v/gm, '#$&'))
  t.match(await refused('-M', 'two=x'), /-Me, -MX or -M# requires service_name\/type/)
  t.match(await refused('-M', 'two/unix=two unix'), /bad field count: "two\/unix=two unix"/)
  t.match(
    await refused('-M', 'a/unix=a unix x - - - - p'),
    /invalid private field "x" in "a unix x/,
  )
  t.match(await refused('-MX', 't*/unix'), /requires service_name\/type/)
  t.match(await refused('-MX', 'two/*', 'one/unix=x'), /names without value/)
})

t.test('postconf -F changes fields', async (t) => {
  const { master, refused } = openEditor(t)
  const head = '# head\n'
  t.equal(
    await master('-F', 'two/unix/chroot=y', 'two/unix/wakeup=60?', 'two/unix/chroot=-'),
    MASTER.replace(
      /^two[^]*z=1\n/m,
      '# inside\ntwo        unix  -       -       -       60?     -       p -v\n    -o z=1\n',
    ),
  )
  t.match(
    await master('-F', 'one/unix/command=q -oa=b { c d }').then((text) => text.slice(head.length)),
    /^one .* q\n {4}-o a=b\n {4}c d\nbroken/,
  )
  t.equal(await master('-F', 'nosuch/unix/chroot=y'), MASTER)
  t.match(await refused('-F', 'two/unix/chroot=x'), /invalid chroot field "x" in "x"/)
  t.match(await refused('-F', 'two/unix/wakeup='), /invalid wakeup field "" in ""/)
  t.match(await refused('-F', 'two/unix/command='), /invalid command field/)
  t.match(await refused('-F', 'two/unix/private=y n'), /does not accept whitespace/)
  t.match(await refused('-F', 'two/unix/foo=y'), /invalid service attribute name: "foo"/)
  t.match(await refused('-F', 'two/unix/*=y'), /wild-card field name/)
  t.match(await refused('-F', 'broken/*/chroot=y'), /master\.cf: line 3: bad field count/)
})

t.test('postconf -P with -e and -X changes parameters of services', async (t) => {
  const { master, refused } = openEditor(t)
  const arrange = (text: string): string => text.split('\n').slice(1, 6).join('|')
  t.equal(
    arrange(await master('-P', 'one/unix/y=9', 'one/unix/new=')),
    'one        unix  -       -       n       -       -       p|    -o x=1|    -o y=9|    -o new=|    arg {two words}',
  )
  t.match(arrange(await master('-PX', 'one/unix/x')), / p\| {4}-o y=2\| {4}arg \{two words\}/)
  t.match(await refused('-P', 'one/unix/y=a b'), /whitespace in parameter value/)
  t.match(await refused('-P', 'one/unix=a'), /-Pe or -PX requires service_name\/type\/parameter/)
  t.match(await refused('-PX', 'one/unix/*'), /wild-card parameter name/)
})

t.test(
  'postconf -e replaces the file: its mode, a symbolic link, what an editor left',
  async (t) => {
    const { directory, main } = openEditor(t)
    const path = join(directory, 'main.cf')
    const temporary = `${path}.tmp`
    writeFileSync(temporary, 'left by an editor that died')
    t.match(await main('q=1'), /q = 1\n$/)
    t.equal(statSync(path).mode & 0o777, 0o644)
    const elsewhere = join(directory, 'elsewhere')
    writeFileSync(elsewhere, 'untouched')
    symlinkSync('elsewhere', temporary)
    t.match(await main('q=1'), /q = 1\n$/)
    t.equal(readFileSync(elsewhere, 'latin1'), 'untouched')
    rmSync(path)
    symlinkSync('elsewhere', path)
    await main('q=1')
    t.notOk(lstatSync(path).isSymbolicLink())
  },
)

t.test('postconf -e: many at once lose nothing', async (t) => {
  const { directory, main } = openEditor(t)
  await main('x=1')
  const silent = { print: () => undefined, complain: () => undefined }
  const names = Array.from({ length: 20 }, (_, at) => `p${at}`)
  const statuses = await Promise.all(
    names.map(async (name) => postconf(['-c', directory, '-e', `${name}=1`], silent)),
  )
  t.same(new Set(statuses), new Set([0]))
  const text = readFileSync(join(directory, 'main.cf'), 'latin1')
  for (const name of names) t.ok(text.includes(`\n${name} = 1\n`), name)
})
