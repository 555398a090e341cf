import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
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

async function run(args: readonly string[]): Promise<Result> {
  let stdout = ''
  let stderr = ''
  const status = await postconf(args, {
    print: (text) => (stdout += text),
    complain: (text) => (stderr += `postconf: ${text}\n`),
  })
  return { status, stdout, stderr }
}

/** As in postconf.ref: Postfix lists some warnings in the order of its hash table, and some twice. */
async function transcript(line: string): Promise<string> {
  const { status, stdout, stderr } = await run(['-c', site, ...line.split(' ')])
  const diagnostics = [...new Set(stderr.split('\n'))].filter((text) => text !== '').sort()
  const end = status === 0 ? [] : [`[${status}]`]
  return `$ postconf ${line}\n${stdout}${[...diagnostics, ...end].map((text) => `${text}\n`).join('')}`
}

t.test('postconf prints what that of Postfix 3.7.11 prints in postconf.ref', async (t) => {
  const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'latin1')
  const reference = read('postconf.ref').split('\n\n$ ').slice(1)
  const lines = read('postconf.in').split('\n').slice(0, -1)
  t.equal(lines.length, reference.length)
  for (const [at, line] of lines.entries()) {
    const given = (await transcript(line)).replaceAll(site, 'SITE').trimEnd()
    t.equal(given, `$ ${reference[at] ?? ''}`.trimEnd(), line)
  }
  t.end()
})

t.test('postconf -m lists table types, once main.cf makes sense', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-postconf-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  writeFileSync(
    join(directory, 'main.cf'),
    'myhostname = mx.example.com\nmail_owner = daemon\ndefault_privs = nobody\nsetgid_group = mail\n',
  )
  t.match((await run(['-c', directory, '-m'])).stdout, /^btree\ncdb\n.*\nunix\n$/s)
  writeFileSync(join(directory, 'main.cf'), 'myhostname = a..b\n')
  t.match(await run(['-c', directory, '-m']), { status: 1, stderr: /bad parameter value: a\.\.b/ })
  t.end()
})

t.test('postconf -b and -t ask bounce(8) of the same configuration', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-postconf-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const bounce = join(directory, 'bounce')
  writeFileSync(bounce, '#!/bin/sh\necho "$MAIL_CONFIG $*"; exit 3\n', { mode: 0o755 })
  const owner = userInfo().username
  const main = `myhostname = mx.example.com\nmail_owner = ${owner}\ndaemon_directory = ${directory}\n`
  writeFileSync(join(directory, 'main.cf'), main)
  const said = async (...args: string[]): Promise<Result> => run(['-c', directory, ...args])
  t.same(await said('-b'), {
    status: 3,
    stdout: `${directory} -SVnexpand_templates -o queue_directory=.\n`,
    stderr: '',
  })
  t.match(await said('-t', ''), {
    stdout: ' -SVndump_templates -o bounce_template_file= -o queue_directory=.\n',
  })
  t.match(await said('-t', 'a', 'b'), { status: 1, stderr: /at most one template file/ })
  rmSync(bounce)
  t.match(await said('-t'), { status: 1, stderr: /execv .*bounce: No such file/ })
})
