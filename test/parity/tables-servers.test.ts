/**
 * tables-servers - tables behind a server, and files that postmap(1) makes: the same questions, the same answers
 *
 * Both systems ask the same small servers, which keep what they are asked; what goes over the wire must be the same, and
 * so must the answers. Needs Postfix 3.7.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import t, { type Test } from 'tap'
import { ROOT } from '../../scripts/instance.ts'
import type { Asked } from './tables-driver.ts'

interface Server {
  readonly port: number
  /** What has come in since the last call. */
  readonly taken: () => string
}

/** A server whose answer to each complete request the function gives; '' ends the connection. */
async function serve(
  t: Test,
  answerTo: (input: string) => { used: number; answer: string } | undefined,
): Promise<Server> {
  let received = ''
  const talk = (socket: Socket): void => {
    let input = ''
    socket.setEncoding('latin1')
    socket.on('error', () => undefined)
    socket.on('data', (octets: string) => {
      received += octets
      input += octets
      for (let step = answerTo(input); step !== undefined; step = answerTo(input)) {
        input = input.slice(step.used)
        if (step.answer === '') socket.destroy()
        else socket.write(step.answer, 'latin1')
      }
    })
  }
  const server = createServer(talk).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const taken = (): string => {
    const all = received
    received = ''
    return all
  }
  // listen() was given an address of a TCP socket
  return { port: (server.address() as AddressInfo).port, taken }
}

function makeDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'parity-servers-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const main = 'compatibility_level = 3.7\nmyhostname = mx.example.com\n'
  writeFileSync(join(directory, 'main.cf'), `${main}queue_directory = ${directory}\n`)
  return directory
}

/** What each key has: the value, `-` for none, `!` for a failure. */
type Answers = Readonly<Record<string, string>>

/** Each key by itself, all at the same time: postmap(1) ends at the first failure, and sleeps a second then. */
async function askPostfix(
  directory: string,
  table: string,
  keys: readonly string[],
): Promise<Answers> {
  const answers = keys.map(async (key) => {
    const { stdout, stderr } = await execa('postmap', ['-c', directory, '-q', '-', table], {
      input: Buffer.from(`${key}\n`, 'latin1'),
      encoding: 'latin1',
      reject: false,
    })
    const none = stderr.includes('fatal: ') ? '!' : '-'
    return [key, stdout === '' ? none : stdout.replace(`${key}\t`, '')] as const
  })
  return Object.fromEntries(await Promise.all(answers))
}

async function askPosthorn(
  directory: string,
  table: string,
  keys: readonly string[],
): Promise<Answers> {
  const { stdout } = await execa(process.execPath, [join(ROOT, 'test/parity/tables-driver.ts')], {
    input: JSON.stringify([{ table, keys }]),
    env: { MAIL_CONFIG: directory },
  })
  // what the driver prints is ours
  const [asked] = JSON.parse(stdout) as Asked[]
  const answers = keys.map((key, at) => {
    const answer = asked?.answers[at] ?? '-'
    return [key, answer.startsWith('!') ? '!' : answer] as const
  })
  return Object.fromEntries(answers)
}

/** Both get the same answers, and ask in the same octets; how often is their own affair. */
async function expectSame(
  t: Test,
  table: string,
  keys: readonly string[],
  { taken, requestsIn }: { taken: () => string; requestsIn: (text: string) => string[] },
): Promise<void> {
  const directory = makeDirectory(t)
  const postfix = await askPostfix(directory, table, keys)
  const wanted = new Set(requestsIn(taken()))
  const posthorn = await askPosthorn(directory, table, keys)
  for (const key of keys) t.equal(posthorn[key], postfix[key], `the answer for "${key}"`)
  t.same([...new Set(requestsIn(taken()))].sort(), [...wanted].sort(), 'the requests')
}

const KEYS = [
  'plain',
  'UPPER',
  'two words',
  'per%cent',
  'a@b.test',
  'gone',
  'later',
  'caf\xc3\xa9',
  'x:y,z',
]

t.test('tcp', async (t) => {
  const replies: Record<string, string> = {
    gone: '500 no%20such\n',
    later: '400 later\n',
    garbage: 'what?\n',
    empty: '200 \n',
    bare: '200\n',
    long: `200 ${'x'.repeat(4000)}\n`,
    longer: `200 ${'x'.repeat(5000)}\n`,
    escaped: '200 a%20b%25%0a%zz%\n',
    other: '300 x\n',
  }
  const server = await serve(t, (input) => {
    const end = input.indexOf('\n')
    if (end < 0) return undefined
    const key = input.slice(4, end)
    const answer = replies[key] ?? `200 <${key}>\n`
    return { used: end + 1, answer: key === 'closed' ? '' : answer }
  })
  const keys = [...KEYS, ...Object.keys(replies), 'closed']
  await expectSame(t, `tcp:127.0.0.1:${server.port}`, keys, {
    taken: server.taken,
    requestsIn: (text) => text.split('\n'),
  })
})

t.test('socketmap', async (t) => {
  const replies: Record<string, string> = {
    gone: 'NOTFOUND ',
    gone2: 'NOTFOUND',
    later: 'TEMP not now',
    slow: 'TIMEOUT x',
    never: 'PERM no',
    garbage: 'HELLO',
    empty: 'OK ',
    bare: 'OK',
    long: `OK ${'x'.repeat(50_000)}`,
    longer: `OK ${'x'.repeat(100_000)}`,
    nothing: '',
  }
  const server = await serve(t, (input) => {
    const colon = input.indexOf(':')
    if (colon < 0) return undefined
    const used = colon + Number(input.slice(0, colon)) + 2
    if (input.length < used) return undefined
    const key = input.slice(colon + 1, used - 1).replace(/^map /, '')
    const reply = replies[key] ?? `OK <${key}>`
    if (key === 'closed') return { used, answer: '' }
    if (key === 'bad') return { used, answer: '3:OK x,' }
    return { used, answer: `${reply.length}:${reply},` }
  })
  const keys = [...KEYS, ...Object.keys(replies), 'closed', 'bad']
  await expectSame(t, `socketmap:inet:127.0.0.1:${server.port}:map`, keys, {
    taken: server.taken,
    requestsIn: (text) => text.split(/(?<=,)(?=\d+:map )/),
  })
})

const SOURCE = `plain value
UPPER Value
"two words" quoted
user@Example.com address, other
@example.com domain
long ${'word '.repeat(3000)}end
caf\xc3\xa9 utf8
CAF\xc3\x89 UTF8
key$1 dollar $1
`

for (const type of ['hash', 'btree']) {
  t.test(`${type} files`, async (t) => {
    const directory = makeDirectory(t)
    const file = join(directory, 'table')
    writeFileSync(file, SOURCE, 'latin1')
    await execa('postmap', ['-c', directory, `${type}:${file}`])
    const keys = [
      'plain',
      'PLAIN',
      'upper',
      'two words',
      '"two words"',
      'user@example.COM',
      'caf\xc3\xa9',
    ]
    const all = [...keys, '@example.com', 'long', 'key$1', 'nosuch', 'user@example.org']
    const table = `${type}:${file}`
    t.same(await askPosthorn(directory, table, all), await askPostfix(directory, table, all))
  })
}
