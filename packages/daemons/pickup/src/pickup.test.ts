/**
 * pickup.test - from maildrop files to records for cleanup(8)
 *
 * cleanup(8) is played: it keeps the records, and answers what the test wants. What is expected was compared with
 * pickup(8) of Postfix 3.7.11.
 */
process.env['TZ'] = 'UTC'
import { chmodSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { Acceptor, listenOn } from '@posthorn/native/socket'
import { encodeRecord } from '@posthorn/queue/record'
import { RecordReader } from '@posthorn/queue/record-reader'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { Channel } from '@posthorn/wire/channel'
import { announceCleanup, CleanupOpening, SubmissionReply } from '@posthorn/wire/cleanup-protocol'
import { Pickup } from './pickup.ts'
import { pickupSettings } from './pickup-settings.ts'

type Given = readonly [type: string, payload: string]

const uid = process.getuid?.() ?? 0
const home = process.cwd()

interface Played {
  readonly pickup: Pickup
  /** For each message: the flags, then its records. */
  readonly heard: string[][]
  readonly log: readonly string[]
  /** What is answered; default: queued. */
  reply: { status: number; reason: string }
}

async function play(
  settings: Record<string, string>,
  mailOwnerId: number,
  run: (played: Played) => Promise<void>,
): Promise<void> {
  process.chdir(temporaryDirectory(t))
  mkdirSync('maildrop')
  mkdirSync('public')
  const heard: string[][] = []
  const config = MainConfig.of({
    myhostname: 'mx.example.test',
    mail_name: 'Posthorn',
    smtputf8_enable: 'yes',
    ...settings,
  })
  const log = captureLog()
  const pickup = new Pickup(pickupSettings(config, mailOwnerId))
  const played: Played = { pickup, heard, log: log.lines, reply: { status: 0, reason: '' } }
  const acceptor = new Acceptor(
    listenOn({ family: 'unix', path: 'public/cleanup' }, { backlog: 5 }),
    (client) => {
      const stream = new ByteStream(client, { timeoutMs: 5000 })
      serve(stream, played)
        .catch(() => undefined)
        .finally(() => {
          stream.close()
        })
    },
  )
  acceptor.resume()
  try {
    await run(played)
  } finally {
    acceptor.close()
    log.restore()
    process.chdir(home)
  }
}

async function serve(stream: ByteStream, played: Played): Promise<void> {
  const channel = new Channel(stream)
  announceCleanup(channel, 'NEWID')
  const attrs = await channel.receiveReply()
  const records = [`flags ${CleanupOpening.parse(attrs).flags}`]
  const reader = new RecordReader()
  played.heard.push(records)
  for (;;) {
    reader.push(stream.take(stream.buffered.length))
    for (let record = reader.next(); record !== undefined; record = reader.next()) {
      records.push(`${record.type} ${record.payload}`)
      if (record.type !== 'E') continue
      channel.send(SubmissionReply.encode({ ...played.reply, stays: false }))
      await stream.end()
      return
    }
    if (!(await stream.fill())) return
  }
}

function drop(
  name: string,
  records: readonly Given[],
  mode = 0o744,
  modifiedSeconds = 1795216000,
): void {
  const path = `maildrop/${name}`
  writeFileSync(path, records.map(([type, text]) => encodeRecord(type, text)).join(''), 'latin1')
  utimesSync(path, modifiedSeconds, modifiedSeconds)
  chmodSync(path, mode)
}

const T: Given = ['T', '1795216841 5']
const content: Given[] = [
  ['M', ''],
  ['N', 'Subject: x'],
  ['X', ''],
]
const envelope: Given[] = [
  ['S', 'a b@c.d'],
  ['R', 'e@f.g'],
]
const received = [
  `N Received: by mx.example.test (Posthorn, from userid ${uid})`,
  'N \tid NEWID; Fri, 20 Nov 2026 23:06:40 +0000 (UTC)',
]

t.test('Pickup carries a submission to cleanup(8) and removes it', async (t) => {
  await play({}, -1, async ({ pickup, heard, log }) => {
    drop('ABC123', [T, ['A', 'rewrite_context=local'], ...envelope, ...content, ['E', '']])
    await pickup.lookThroughMaildrop()
    t.strictSame(heard, [
      [
        ...['flags 627', 'T 1795216841 5', 'A rewrite_context=local', 'S a b@c.d', 'R e@f.g', 'M '],
        ...[...received, 'N Subject: x', 'X ', 'E '],
      ],
    ])
    t.strictSame(readdirSync('maildrop'), [])
    t.ok(log.includes(`NEWID: uid=${uid} from=<"a b"@c.d>`))
  })
})

t.test('Pickup drops what users must not say', async (t) => {
  await play({ content_filter: 'scan:here' }, -1, async ({ pickup, heard }) => {
    const smuggled: Given[] = [
      ['L', 'x:y'],
      ['>', 'x@y'],
    ]
    const behind: Given[] = [...smuggled, ['r', 'x'], ['e', 'x'], ['A', 'encoding=8bit']]
    const last: Given[] = [
      ['A', 'notify_flags=2'],
      ['R', 'z@z'],
      ['E', ''],
    ]
    drop('ABC123', [...smuggled, ...envelope, ...content, ...behind, ...last])
    await pickup.lookThroughMaildrop()
    t.strictSame(heard[0]?.slice(1), [
      ...['L scan:here', 'T 1795216000', 'S a b@c.d', 'R e@f.g', 'M ', ...received],
      ...['N Subject: x', 'X ', 'A notify_flags=2', 'R z@z', 'E '],
    ])
  })
})

t.test('Pickup knows mail that is sent through again', async (t) => {
  await play({}, uid, async ({ pickup, heard, log }) => {
    drop('ABC123', [T, ...envelope, ...content, ['E', '']], 0o700)
    drop('ABC124', [T, ...envelope, ...content, ['E', '']], 0o744)
    await pickup.lookThroughMaildrop()
    t.strictSame(heard.map(([flags]) => flags).sort(), ['flags 51', 'flags 627'])
    t.ok(log.includes(`NEWID: uid=${uid} from=<"a b"@c.d> orig_id=ABC123`))
  })
})

t.test('Pickup applies receive_override_options', async (t) => {
  const settings = {
    smtputf8_autodetect_classes: 'bounce',
    receive_override_options: 'no_address_mappings, no_header_body_checks, no_milters',
  }
  await play(settings, -1, async ({ pickup, heard }) => {
    drop('ABC123', [T, ...envelope, ...content, ['E', '']])
    await pickup.lookThroughMaildrop()
    t.equal(heard[0]?.[0], 'flags 1')
  })
})

t.test('Pickup keeps text apart from its Received header, and the future out of it', async (t) => {
  await play({}, -1, async ({ pickup, heard, log }) => {
    const text: Given[] = [
      ['M', ''],
      ['L', ' more'],
      ['N', ' and more'],
      ['N', ' and more'],
      ['X', ''],
    ]
    const tomorrowSeconds = Math.floor(Date.now() / 1000) + 86_400
    drop('ABC123', [T, ...envelope, ...text, ['E', '']], 0o744, tomorrowSeconds)
    symlinkSync('ABC123', 'maildrop/ABC124')
    await pickup.lookThroughMaildrop()
    const records = heard[0]?.slice(5) ?? []
    t.strictSame(records.slice(2, 7), ['N ', 'L  more', 'N  and more', 'N  and more', 'X '])
    const date = /; (.*) \+0000/.exec(records[1] ?? '')?.[1] ?? ''
    t.ok(Date.parse(`${date} UTC`) <= Date.now(), 'the file is dated tomorrow')
    t.ok(log.includes(`warning: maildrop/ABC124: uid ${uid}: not a regular file`))
  })
})

t.test('Pickup removes what is no submission', async (t) => {
  await play({}, -1, async ({ pickup, log }) => {
    const bad: Given[][] = [
      [T, ['R', 'e@f.g'], ...content, ['E', '']],
      [T, ...envelope, ['Q', 'x'], ...content, ['E', '']],
      [T, ...envelope, ...content],
      [T, ...envelope, ['f', '4'], ...content, ['E', '']],
      [T, ['S', 'x'.repeat(2049)], ...content, ['E', '']],
    ]
    for (const [at, records] of bad.entries()) drop(`ABC12${at}`, records)
    writeFileSync('maildrop/ABC129', 'R\xff\xff\xff\xff\xff\xff\xff', 'latin1')
    chmodSync('maildrop/ABC129', 0o744)
    await pickup.lookThroughMaildrop()
    t.strictSame(readdirSync('maildrop'), [])
    t.equal(log.filter((line) => line.includes(`warning: uid=${uid}: `)).length, 6)
  })
})

t.test('Pickup leaves what it cannot take', async (t) => {
  await play({}, -1, async (played) => {
    const { pickup, heard, log } = played
    drop('ABC120', [T, ...envelope, ...content, ['E', '']], 0o644)
    drop('1234.99', [T, ...envelope, ...content, ['E', '']])
    symlinkSync('/etc/passwd', 'maildrop/ABC121')
    mkdirSync('maildrop/ABC122')
    await pickup.lookThroughMaildrop()
    t.strictSame(heard, [])
    played.reply = { status: 2, reason: '' }
    drop('ABC123', [T, ...envelope, ...content, ['E', '']])
    await pickup.lookThroughMaildrop()
    t.equal(heard.length, 1, 'tried once for each wake-up')
    t.ok(readdirSync('maildrop').includes('ABC123'))
    t.ok(log.includes('warning: maildrop/ABC123: error writing NEWID: queue file write error'))
    played.reply = { status: 64, reason: '' }
    await pickup.lookThroughMaildrop()
    t.notOk(readdirSync('maildrop').includes('ABC123'), 'nobody to send it to')
  })
})

t.test('Pickup waits for cleanup(8) to come back', async (t) => {
  await play({ cleanup_service_name: 'nobody' }, -1, async ({ pickup, log }) => {
    const nowSeconds = Math.floor(Date.now() / 1000)
    drop('ABC123', [T, ...envelope, ...content, ['E', '']], 0o744, nowSeconds)
    drop('ABC124', [T, ...envelope, ...content, ['E', '']], 0o744, nowSeconds)
    await pickup.lookThroughMaildrop()
    t.equal(readdirSync('maildrop').length, 2)
    t.match(
      log.filter((line) => line.startsWith('warning')),
      [/connect to public\/nobody: No such file/],
    )
  })
})

t.test('Pickup warns of files that are old, or from the future', async (t) => {
  await play({}, -1, async ({ pickup, log }) => {
    const nowSeconds = Math.floor(Date.now() / 1000)
    const daySeconds = 24 * 3600
    const message: Given[] = [T, ...envelope, ...content, ['E', '']]
    drop('ABC123', message, 0o744, nowSeconds - 3 * daySeconds)
    drop('ABC124', message, 0o744, nowSeconds + daySeconds)
    await pickup.lookThroughMaildrop()
    t.match(log.filter((line) => line.startsWith('warning')).sort(), [
      /NEWID: message dated \d+ seconds into the f/,
      /NEWID: message has been queued for 3 days/,
    ])
  })
})
