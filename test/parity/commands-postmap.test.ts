/**
 * commands-postmap - postmap(1) and postalias(1): the same answers from the same tables
 *
 * Databases: Postfix writes hash here, Posthorn cdb; what they hold must be the same. Needs root and Postfix 3.7.
 */
import { once } from 'node:events'
import { chmod, chown, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { System } from '../../scripts/instance.ts'
import { SYSTEMS } from './both-systems.ts'
import { compareCommands, layOutBoth, runCommand, type CommandCase } from './command-lines.ts'

const TABLE = [
  '# comment',
  'Key One',
  'B  two words ',
  '  more',
  '"q u" v',
  'a\\ b c',
  'key duplicate',
  'caf\xc3\xa9 latte',
  'long ' + 'x'.repeat(5000),
  '',
].join('\n')
const ALIASES = [
  'root: nobody',
  'List: a, b@c , "|prog args", /file, :include:/x',
  '"a b": c',
  '\\owner: \\x, "q r"@d',
  'm: <a@b>, A B <c@d>, (com) e',
  ' w: y',
  'null: ""',
  'root: duplicate',
  '',
].join('\n')

const instances = await layOutBoth(t)
const directory = await mkdtemp(join(tmpdir(), 'parity-tables-'))
t.teardown(async () => rm(directory, { recursive: true, force: true }))
const file = (name: string): string => join(directory, name)
await writeFile(file('text'), TABLE, 'latin1')
await utimes(file('text'), 1, 1) // Postfix reads a young one again and again
await writeFile(file('database'), TABLE, 'latin1')
await writeFile(file('tree'), TABLE, 'latin1')
await runCommand(instances.postfix, '/usr/sbin/postmap', [`hash:${file('database')}`])
await runCommand(instances.postfix, '/usr/sbin/postmap', [`btree:${file('tree')}`])

const tables = [`texthash:${file('text')}`, `hash:${file('database')}`]
const keys = [
  'key',
  'KEY',
  'b',
  'B',
  '"q u"',
  'q u',
  'a\\ b',
  'caf\xc3\xa9',
  'CAF\xc3\x89',
  'long',
  'none',
  '',
]

// a server that keeps its connections: the command ends all the same
const server = createServer((socket) => {
  socket.on('data', (octets) => {
    socket.write(octets.includes('known') ? '200 answer\n' : '500 none\n')
  })
  socket.on('error', () => socket.destroy())
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
t.teardown(() => server.close())
const asked = `tcp:127.0.0.1:${(server.address() as AddressInfo).port}`

await writeFile(file('one'), 'one\n')
await writeFile(file('two'), 'two')
const FILES = `one ${file('one')}\nboth ${file('one')}, ${file('two')}\nnone /nonexistent\n`
await writeFile(file('files'), FILES)
await utimes(file('files'), 1, 1)

const lines: readonly CommandCase[] = [
  ...['one', 'both', 'none'].map((key) => ['-F', '-q', key, `texthash:${file('files')}`]),
  ['-F', '-q', 'known', asked],
  ['-F', '-q', 'k', `regexp:{{/k/ ${file('one')}}}`],
  ['-F', '-q', 'k', 'regexp:{{/k/ /nonexistent}}'],
  ['-F', '-q', '1.2.3.4', `cidr:{{1.2.3.4 ${file('one')}}}`],
  ['-F', '-q', 'k', `inline:{k=${file('one')}}`],
  ['-q', 'known', asked],
  ['-q', 'other', asked],
  ...tables.flatMap((table) =>
    keys.map((key) => ['-q', Buffer.from(key, 'latin1').toString(), table]),
  ),
  ...['-fq'].flatMap((option) => ['key', 'KEY'].map((key) => [option, key, tables[1] ?? ''])),
  ['-q', 'a', 'inline:{a=b}', 'inline:{a=c}'],
  ['-q', 'z', 'inline:{a=b}', 'inline:{z=c}'],
  ['-q', 'x', 'static:v'],
  ['-q', 'b', 'regexp:{{/b/ yes}}'],
  ['-q', 'root', 'unix:passwd.byname'],
  ['-q', '1.2.3.4', 'cidr:{{1.2.3.0/24 net}}'],
  ['-q', 'a', 'pipemap:{inline:{a=b},inline:{b=c}}'],
  ['-q', 'a', 'unionmap:{inline:{a=b},inline:{a=c}}'],
  [],
  ['-z'],
  ['-q'],
  ['-q', 'a', '-s', 'x'],
].map((args) => ({ words: ['postmap', ...args] }))

const fromInput: readonly CommandCase[] = tables.map((table) => ({
  words: ['postmap', '-q', '-', table],
  input: 'key\nnone\nB\nlast',
}))

/** In an order that is nobody's. */
async function content(
  system: System,
  command: string,
  args: readonly string[],
): Promise<string[]> {
  const path = system === 'postfix' ? '/usr/sbin' : join(import.meta.dirname, '../../build/sbin')
  const { stdout } = await runCommand(instances[system], join(path, command), args, { plain: true })
  return stdout
    .replace(/(YP_LAST_MODIFIED:\t)\d+/, '$1N')
    .split('\n')
    .sort()
}

async function compareDatabases(
  t: Test,
  command: string,
  text: string,
  options: readonly string[],
): Promise<void> {
  const seen: Partial<Record<System, unknown>> = {}
  for (const system of SYSTEMS) {
    const type = system === 'postfix' ? 'hash' : 'cdb'
    const path = file(`${command}-${system}`)
    await writeFile(path, text, 'latin1')
    await chmod(path, 0o640)
    await chown(path, 65534, 65534)
    await chmod(directory, 0o777)
    await content(system, command, [...options, `${type}:${path}`])
    const stats = await stat(`${path}.${type === 'hash' ? 'db' : 'cdb'}`)
    seen[system] = {
      entries: await content(system, command, ['-s', `${type}:${path}`]),
      ...{ mode: (stats.mode & 0o777).toString(8), uid: stats.uid },
    }
    await rm(`${path}.${type === 'hash' ? 'db' : 'cdb'}`)
  }
  t.same(seen.posthorn, seen.postfix, `${command} ${options.join(' ')}`)
}

t.test('command lines', async (t) => compareCommands(t, [...lines, ...fromInput], instances))
t.test('databases', async (t) => {
  for (const options of [[], ['-w'], ['-r'], ['-f'], ['-p'], ['-o']]) {
    await compareDatabases(t, 'postmap', TABLE, options)
    await compareDatabases(t, 'postalias', ALIASES, options)
  }
  await compareDatabases(t, 'postmap', FILES, ['-F'])
  for (const table of [`btree:${file('tree')}`, ...tables]) {
    const [theirs, ours] = [
      await content('postfix', 'postmap', ['-s', table]),
      await content('posthorn', 'postmap', ['-s', table]),
    ]
    t.same(ours, theirs, `postmap -s ${table}`)
  }
})
