/**
 * damaged-queue - queue files cut short, overwritten, or never written properly
 *
 * A damaged file is put aside in the corrupt queue with a log line, and none of it is delivered as if it were whole;
 * the files beside it are delivered, and no daemon stumbles. The seed of the random damage is in the test's name.
 */
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { parseRecord } from '@posthorn/queue/record'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { waitFor } from '@posthorn/testing/wait-for'
import t from 'tap'
import { Site } from './bad-input-site.ts'

const SEED = 20261121
const MUTANTS = 150
const READY = 0o700
const READY_MAILDROP = 0o744
const BODY = ['line one', 'line two', 'the last line']

const site = await Site.start(t, {
  main: {
    smtpd_recipient_restrictions: 'permit_mynetworks, reject',
    smtpd_sender_restrictions: 'check_sender_access inline:{ {sender@example.test = HOLD} }',
    hash_queue_names: 'defer',
    minimal_backoff_time: '1000s',
    maximal_backoff_time: '1000s',
  },
})
const { instance } = site
const queue = instance.queueDirectory

/** The octets of a good queue file: one that was put on hold. */
async function makeSample(): Promise<string> {
  const client = await SmtpClient.open(instance.smtpPort)
  await client.say('EHLO client.test', '250')
  const content = ['Subject: sample', '', ...BODY].join('\r\n')
  const recipients = ['one@remote.test', 'two@remote.test']
  await client.send('sender@example.test', recipients, content)
  await client.quit()
  const [name = ''] = await readdir(join(queue, 'hold'))
  const sample = await readFile(join(queue, 'hold', name), 'latin1')
  await rm(join(queue, 'hold', name))
  return sample
}

const sample = await makeSample()
const owner = (await stat(join(queue, 'incoming'))).uid
await mkdir(join(queue, 'workshop'))
let placed = 0

/** Puts a complete file into a queue, as a daemon would: it appears under its name at once. */
async function place(
  folder: 'incoming' | 'deferred' | 'maildrop',
  octets: string,
  name = `ABCDE${(0x1000 + placed++).toString(16).toUpperCase()}`,
): Promise<string> {
  const path = join(queue, 'workshop', name)
  await writeFile(path, Buffer.from(octets, 'latin1'))
  await chown(path, owner, -1)
  await chmod(path, folder === 'maildrop' ? READY_MAILDROP : READY)
  await rename(path, join(queue, folder, name))
  return name
}

/** The sample with the octets from `find` on overwritten. */
function overwritten(find: string, by: string): string {
  const at = sample.indexOf(find)
  if (at < 0 || by.length > find.length) throw new Error(`Cannot damage sample: ${find}`)
  return sample.slice(0, at) + by + sample.slice(at + by.length)
}

interface Piece {
  readonly type: string
  readonly end: number
}

const pieces: Piece[] = []
for (let at = 0; at < sample.length;) {
  const record = parseRecord(sample, at)
  if (record === undefined) throw new Error('Cannot read the sample')
  pieces.push({ type: record.type, end: record.end })
  at = record.end
}

async function flush(): Promise<void> {
  await instance.run('postqueue', ['-f'])
}

async function untilSettled(): Promise<void> {
  await waitFor(
    async () => (await instance.queued('maildrop', 'incoming', 'active')).length === 0,
    'every file to be delivered or put aside',
    30_000,
  )
}

async function corrupt(): Promise<string[]> {
  return (await instance.queued('corrupt')).map((path) => path.replace('corrupt/', ''))
}

t.test('files that are certainly damaged', async (t) => {
  const qmgr = site.pids('qmgr')
  const first = 'R\x0fone@remote.test'
  const damaged: [string, string][] = [
    ['nothing', ''],
    ['one octet', 'C'],
    ['zeros', '\0'.repeat(2000)],
    ['ones', '\xff'.repeat(2000)],
    ['text', 'hello world\n'.repeat(100)],
    ['an endless length', `C${'\xff'.repeat(9)}\x7f${sample.slice(11)}`],
    ['a length of 2 GB', `C\xff\xff\xff\xff\x07${sample}`],
    ['no size record', sample.slice(pieces[0]?.end)],
    ['the mark of corruption', `c${sample.slice(1)}`],
    ['an unknown record', overwritten('S\x13sender@example.test', '!')],
    ['no recipients', sample.replaceAll(first, '').replaceAll('R\x0ftwo@remote.test', '')],
    [
      'a pointer in a circle',
      overwritten(first, `p\x0f${String(sample.indexOf(first)).padStart(15)}`),
    ],
    ['a pointer to nowhere', overwritten(first, `p\x0f${'99999'.padStart(15)}`)],
    ['no pointer', overwritten(first, 'p\x0fnowhere at all!')],
    ['an envelope in the content', overwritten('N\x08line one', 'R')],
    ['content that ends within a line', overwritten('N\x08line one', 'N\x7f')],
    ['a record in the content that is unknown', overwritten('N\x08line one', '!')],
  ]
  for (let at = 7; at < sample.length - 1; at += 29) {
    damaged.push([`cut at ${at}`, sample.slice(0, at)])
  }
  const names = new Map<string, string>()
  for (const [what, octets] of damaged) names.set(await place('incoming', octets), what)
  const whole = await place('incoming', sample)
  await flush()
  await untilSettled()
  const found = new Set(await corrupt())
  // a log line may come a moment after what it is about
  await waitFor(
    async () => (await site.log()).split('saving corrupt file').length > names.size,
    'a log line for each damaged file',
  ).catch(() => undefined) // what is missing shows below
  const log = await site.log()
  for (const [name, what] of names) {
    t.ok(found.has(name), `${what}: put aside`)
    t.match(log, new RegExp(`saving corrupt file "${name}" from queue "active" to queue "corrupt"`))
  }
  t.notOk(found.has(whole))
  t.match(log, new RegExp(`${whole}: to=<two@remote\\.test>,.* status=sent`))
  t.equal(site.sink.messages.length, 1, 'only what is whole was delivered')
  t.ok(site.sink.messages[0]?.content.endsWith(`\r\n\r\n${BODY.join('\r\n')}\r\n`))
  t.same(site.pids('qmgr'), qmgr, 'the queue manager is still the same')
})

t.test('a damaged file in the deferred queue', async () => {
  const name = await place('deferred', overwritten('S\x13sender@example.test', 'S\x7f'))
  const whole = await place('deferred', sample)
  await flush()
  await waitFor(async () => (await corrupt()).includes(name), 'the damaged file to be put aside')
  await site.waitForLog(new RegExp(`${whole}: removed`))
})

t.test(`random damage, seed ${SEED}`, async (t) => {
  let state = SEED
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return (state >> 8) % below
  }
  for (let at = 0; at < MUTANTS; at += 1) {
    const octets = Buffer.from(sample, 'latin1')
    for (let hits = random(4); hits >= 0; hits -= 1) octets[random(octets.length)] = random(256)
    await place('incoming', octets.toString('latin1'))
  }
  await flush()
  await untilSettled()
  t.same(await site.crashes(), [])
  await site.probe()
})

t.test('garbage in the maildrop', async (t) => {
  const pickup = site.pids('pickup')
  // what a client submits begins with other records than a queue file does
  for (const octets of [
    '',
    'garbage \xff'.repeat(50),
    '\0'.repeat(999),
    '\xff'.repeat(999),
    sample,
  ]) {
    await place('maildrop', octets)
  }
  await instance.run('postkick', ['public', 'pickup', 'W'])
  await site.waitForLog(/pickup\[\d+\]: warning: uid=\d+: unexpected or malformed record type/)
  await untilSettled()
  await instance.run(
    'sendmail',
    ['-f', 'me@example.test', 'user@remote.test'],
    'Subject: after\n\n',
  )
  await site.arrival('after')
  t.same(site.pids('pickup'), pickup)
  t.same(await site.crashes(), [])
})
