/**
 * cleanup-pickup - what pickup(8) and cleanup(8) of both systems make of files in the maildrop directory, good and odd
 *
 * Each file is put there complete, and pickup(8) is woken; a second file behind it tells when it has been looked at. The
 * outcome is the queue file, what was logged, and whether the file is still there. Needs root and Postfix 3.7.
 */
import {
  chmod,
  chown,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { encodeRecord } from '@posthorn/queue/record'
import { waitFor } from '@posthorn/testing/wait-for'
import { trigger } from '@posthorn/wire/trigger'
import t, { type Test } from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { SYSTEMS, startSystem } from './both-systems.ts'
import { describeFile } from './cleanup-cases.ts'

interface Dropped {
  readonly name: string
  readonly records?: readonly string[]
  /** Instead of records. */
  readonly octets?: string
  readonly mode?: number
  /** Default: the user nobody. */
  readonly owner?: 'mail'
  readonly file?: string
  readonly link?: string
  /** Seconds to add to the time of the file. */
  readonly later?: number
}

const NOBODY = 65534
/** The same for both systems, and not so long ago that anybody would wonder. */
const WRITTEN_SECONDS = Math.floor(Date.now() / 1000) - 3600
/** What the reader of records says before pickup(8) says that the file is malformed. */
const DETAILS = /illegal length|unexpected EOF|too many length bits|malformed pointer/
const usual = ['T1700000000 5', 'Arewrite_context=local', 'Sfrom@example.org', 'Rto@example.net']
const text = ['M', 'NSubject: s', 'N', 'Nbody', 'X']
const all = [...usual, ...text, 'E']
const long = 'x'.repeat(2049)

const cases: readonly Dropped[] = [
  { name: 'usual', records: all },
  { name: 'no time', records: all.slice(1) },
  {
    name: 'full name and attributes',
    records: [
      'T1 1',
      'FFull Name',
      'Aencoding=8bit',
      'Aenvelope_id=x',
      'Aret_flags=1',
      'Atrace_flags=1024',
      'Aother=x',
      ...all.slice(1),
    ],
  },
  { name: 'remote context', records: ['T1 1', 'Arewrite_context=remote', ...all.slice(2)] },
  {
    name: 'DSN',
    records: [
      ...usual.slice(0, 3),
      'Anotify_flags=2',
      'Adsn_orig_rcpt=rfc822;x@y',
      'Ra@b.test',
      'n4',
      'oz;q',
      'Rb@b.test',
      ...text,
      'E',
    ],
  },
  {
    name: 'recipients behind the content',
    records: [...usual.slice(0, 3), ...text, 'Anotify_flags=2', 'Ra@b.test', 'Rb', 'E'],
  },
  { name: 'filter and redirection', records: ['T1 1', 'Lx:y', '>a@b', ...all.slice(1)] },
  {
    name: 'filter and redirection behind the content',
    records: [...usual, ...text, 'Lx:y', '>a@b', 'rx', 'ex', 'Pz', 'Aencoding=8bit', 'E'],
  },
  { name: 'flags record', records: ['T1 1', 'f4', ...all.slice(1)] },
  { name: 'size and warning records', records: ['C 1 2 3', 'T1 1', 'W 5', ...all.slice(1)] },
  { name: 'VERP', records: [...usual, 'V+=', ...text, 'E'] },
  {
    name: 'done and cancelled recipients',
    records: [...usual, 'Dx@y.test', '/z@y.test', 'Kk', ...text, 'E'],
  },
  {
    name: 'original recipients',
    records: [...usual.slice(0, 3), 'Oorig@x.test', 'Ra@b.test', ...text, 'E'],
  },
  { name: 'padding', records: [...usual, 'M', 'NSubject: s', 'w 0', 'N', 'X', 'E'] },
  { name: 'text ends within a line', records: [...usual, 'M', 'N', 'Labc', 'X', 'E'] },
  { name: 'no content', records: [...usual, 'M', 'X', 'E'] },
  { name: 'no headers', records: [...usual, 'M', 'N', 'Nbody', 'X', 'E'] },
  { name: 'From line', records: [...usual, 'M', 'NFrom me', 'NSubject: s', 'N', 'X', 'E'] },
  {
    name: 'continuation in front',
    records: [...usual, 'M', 'N more', 'NSubject: s', 'N', 'X', 'E'],
  },
  { name: 'CR and NUL', records: [...usual, 'M', 'NSubject: s\r', 'N\r', 'Na\0b\r', 'X', 'E'] },
  { name: 'null sender', records: ['T1 1', 'S', 'Ra@b.test', ...text, 'E'] },
  { name: 'sender to complete', records: ['T1 1', 'Sme', 'Rroot', ...text, 'E'] },
  { name: 'sent through again', records: all, owner: 'mail', mode: 0o700 },
  { name: 'of the mail owner, but new', records: all, owner: 'mail', mode: 0o744 },
  { name: 'no sender', records: [...usual.slice(0, 2), 'Ra@b.test', ...text, 'E'] },
  { name: 'no recipient', records: [...usual.slice(0, 3), ...text, 'E'] },
  { name: 'two senders', records: ['T1 1', 'Sa', ...all.slice(2)] },
  { name: 'unknown record', records: [...usual, 'Qx', ...text, 'E'] },
  { name: 'text in the envelope', records: [...usual, 'Nx', ...text, 'E'] },
  { name: 'sender in the content', records: [...usual, 'M', 'Sx', 'X', 'E'] },
  { name: 'end in the content', records: [...usual, 'M', 'Nx', 'E'] },
  { name: 'no end', records: [...usual, ...text] },
  { name: 'envelope only', records: usual },
  { name: 'long record', records: [...usual.slice(0, 3), `R${long}`, ...text, 'E'] },
  { name: 'long line', records: [...usual, 'M', `N${long}`, 'X', 'E'] },
  { name: 'empty file', octets: '' },
  { name: 'garbage', octets: 'this is no queue file\n' },
  { name: 'bad length', octets: `${encodeRecord('T', '1 1')}S\xff\xff\xff\xff\xff\xff\xff\xff` },
  {
    name: 'cut short',
    octets: all
      .map((r) => encodeRecord(r.charAt(0), r.slice(1)))
      .join('')
      .slice(0, -5),
  },
  { name: 'attribute without =', records: ['T1 1', 'Aodd', ...all.slice(1)] },
  { name: 'bad attribute', records: ['T1 1', 'Arewrite_context=odd', ...all.slice(1)] },
  { name: 'pointers', records: ['T1 1', 'p              0', ...all.slice(1)] },
  { name: 'pointer nowhere', records: ['T1 1', 'p      999999999', ...all.slice(1)] },
  { name: 'pointer that is none', records: ['T1 1', 'px', ...all.slice(1)] },
  { name: 'old file', records: all, later: -3 * 86_400 },
  { name: 'file from the future', records: all, later: 86_400 },
  { name: 'not complete', records: all, mode: 0o644 },
  { name: 'name with a dot', records: all, file: '123.456' },
  { name: 'symbolic link', link: '/etc/hostname' },
]

async function put(directory: string, one: Dropped, name: string, owner: number): Promise<void> {
  const path = join(directory, name)
  if (one.link !== undefined) {
    await symlink(one.link, path)
    return
  }
  const octets =
    one.octets ?? (one.records ?? []).map((r) => encodeRecord(r.charAt(0), r.slice(1))).join('')
  const hidden = join(directory, '..', `workshop-${name}`)
  await writeFile(hidden, Buffer.from(octets, 'latin1'))
  await chown(hidden, one.owner === 'mail' ? owner : NOBODY, 0)
  const seconds = WRITTEN_SECONDS + (one.later ?? 0)
  await utimes(hidden, seconds, seconds)
  await chmod(hidden, one.mode ?? 0o744)
  await rename(hidden, path)
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

/** pickup(8) has looked at everything that was there before. */
async function look(instance: Instance, marker: string, owner: number): Promise<void> {
  const { queueDirectory } = instance
  const maildrop = join(queueDirectory, 'maildrop')
  await put(
    maildrop,
    { name: '', records: ['T1 1', 'Smarker@x.test', ...all.slice(3)] },
    marker,
    owner,
  )
  const wake = async (): Promise<void> => trigger(join(queueDirectory, 'public/pickup'), 'W', 5000)
  await wake()
  await waitFor(async () => !(await isThere(join(maildrop, marker))), `marker ${marker}`, 20_000)
}

async function outcomes(
  t: Test,
  system: 'postfix' | 'posthorn',
  main: Record<string, string>,
): Promise<string[]> {
  const instance = await startSystem(t, system, {
    main: {
      mail_name: 'Mail',
      myorigin: 'example.test',
      in_flow_delay: '0',
      // What wakes the queue manager wakes showq(8) instead.
      queue_service_name: 'showq',
      ...main,
    },
    master: ['qmgr unix n - n 0 1 qmgr'],
  })
  const { queueDirectory } = instance
  const maildrop = join(queueDirectory, 'maildrop')
  const owner = (await stat(join(queueDirectory, 'incoming'))).uid
  const seen = new Set<string>()
  const found: { name: string; file: string; id: string; text: string }[] = []
  for (const [at, one] of cases.entries()) {
    const file = one.file ?? `ABCDE${String(at).padStart(3, '0')}`
    await put(maildrop, one, file, owner)
    await look(instance, `F${at}A`, owner)
    await look(instance, `F${at}B`, owner)
    const queued: string[] = []
    let id = ''
    for (const name of await readdir(join(queueDirectory, 'incoming'))) {
      if (seen.has(name)) continue
      seen.add(name)
      const records = describeFile(await readFile(join(queueDirectory, 'incoming', name), 'latin1'))
      if (records.includes('S "marker@x.test"')) continue
      id = name
      const lines = records.join('\n').replaceAll(name, 'QUEUEID')
      // Mail from the future arrives now.
      queued.push((one.later ?? 0) > 0 ? lines.replace(/(id QUEUEID;) .*"/, '$1 NOW"') : lines)
    }
    const isLeft = await isThere(join(maildrop, file))
    await rm(join(maildrop, file), { force: true })
    found.push({
      name: one.name,
      file,
      id,
      text: [...queued, `left: ${String(isLeft)}`].join('\n'),
    })
  }
  await instance.stop()
  const log = (await instance.log())
    .split('\n')
    .filter((line) => line.includes('/pickup[') && !DETAILS.test(line))
  return found.map(({ id, file, text }) => {
    const about = log
      .filter((line) => line.includes(file) || (id !== '' && line.includes(`${id}: `)))
      .map((line) =>
        line
          .replace(/^.*?\[\d+\]: /, 'log: ')
          .replaceAll(file, 'FILE')
          .replaceAll(id === '' ? '-' : id, 'QUEUEID'),
      )
    return [text, ...new Set(about)]
      .join('\n')
      .replace(/create_time=\d+/g, 'create_time=TIME')
      .replace(/\d{14}\.QUEUEID/g, 'TIME.QUEUEID')
      .replace(/[0-9A-F]{10,}/g, 'ID')
      .replace(/dated \d+ seconds/, 'dated N seconds')
  })
}

const settings: Record<string, Record<string, string>> = {
  'as installed': {},
  'with a content filter': { content_filter: 'scan:[127.0.0.1]:26' },
  'with overrides': { receive_override_options: 'no_address_mappings', always_bcc: 'copy@x.test' },
}

t.setTimeout(120_000)
for (const [title, main] of Object.entries(settings)) {
  t.test(`pickup ${title}`, async (t) => {
    const [theirs, ours] = [
      await outcomes(t, SYSTEMS[0], main),
      await outcomes(t, SYSTEMS[1], main),
    ]
    for (const [at, { name }] of cases.entries()) t.equal(ours[at], theirs[at], name)
  })
}
