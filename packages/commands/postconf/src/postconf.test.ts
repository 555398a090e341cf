import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { postconf } from './postconf.ts'

// -f folds long lines, so the path of the directory must be short wherever this repository lies
const shortDirectory = mkdtempSync(join(tmpdir(), 'site-'))
const site = join(shortDirectory, 's')
symlinkSync(new URL('fixtures/site', import.meta.url).pathname, site)
t.teardown(() => {
  rmSync(shortDirectory, { recursive: true })
})

interface Result {
  status: number
  stdout: string
  stderr: string
}

function run(args: readonly string[]): Result {
  let stdout = ''
  let stderr = ''
  const status = postconf(args, {
    print: (text) => (stdout += text),
    complain: (text) => (stderr += `postconf: ${text}\n`),
  })
  return { status, stdout, stderr }
}

/** As in postconf.ref: Postfix lists some warnings in the order of its hash table, and some twice. */
function transcript(line: string): string {
  const { status, stdout, stderr } = run(['-c', site, ...line.split(' ')])
  const diagnostics = [...new Set(stderr.split('\n'))].filter((text) => text !== '').sort()
  const end = status === 0 ? [] : [`[${status}]`]
  return `$ postconf ${line}\n${stdout}${[...diagnostics, ...end].map((text) => `${text}\n`).join('')}`
}

t.test('postconf prints what that of Postfix 3.7.11 prints in postconf.ref', (t) => {
  const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'latin1')
  const reference = read('postconf.ref').split('\n\n$ ').slice(1)
  const lines = read('postconf.in').split('\n').slice(0, -1)
  t.equal(lines.length, reference.length)
  for (const [at, line] of lines.entries()) {
    const given = transcript(line).replaceAll(site, 'SITE').trimEnd()
    t.equal(given, `$ ${reference[at] ?? ''}`.trimEnd(), line)
  }
  t.end()
})

t.test('postconf -e, -X and -# change main.cf in place', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-postconf-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const path = join(directory, 'main.cf')
  const edit = (...args: string[]): string => {
    writeFileSync(path, '# head\na = 1\n  more\n# note\n  last\nb = 2\na = 3\nc = 4')
    const { status, stderr } = run(['-c', directory, ...args])
    t.equal(status, 0, stderr)
    return readFileSync(path, 'latin1')
  }
  t.equal(edit('b=x y'), '# head\na = 1\n  more\n# note\n  last\nb = x y\na = 3\nc = 4\n')
  t.equal(edit('-e', 'a = 9', 'd='), '# head\na = 9\n# note\nb = 2\na = 9\nc = 4\nd =\n')
  t.equal(edit('-X', 'a', 'nosuch'), '# head\n# note\nb = 2\nc = 4')
  t.equal(edit('-#', 'a'), '# head\n#a = 1\n#  more\n# note\n#  last\nb = 2\n#a = 3\nc = 4')
  t.equal(run(['-c', directory, '-e']).status, 1)
  t.equal(run(['-c', directory, '-X', '']).status, 1)
  t.equal(run(['-c', directory, '-e', 'a=b\nc']).status, 1)
  t.end()
})

t.test('postconf -m lists table types, once main.cf makes sense', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-postconf-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  writeFileSync(
    join(directory, 'main.cf'),
    'myhostname = mx.example.com\nmail_owner = daemon\ndefault_privs = nobody\nsetgid_group = mail\n',
  )
  t.match(run(['-c', directory, '-m']).stdout, /^btree\ncdb\n.*\nunix\n$/s)
  writeFileSync(join(directory, 'main.cf'), 'myhostname = a..b\n')
  t.match(run(['-c', directory, '-m']), { status: 1, stderr: /bad parameter value: a\.\.b/ })
  t.end()
})
