import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { createDeliveryContext } from '@posthorn/delivery/delivery-context'
import { DeliveryJob } from '@posthorn/delivery/delivery-job'
import { MailboxDelivery } from '@posthorn/delivery/mailbox/mailbox-delivery'
import { captureLog } from '@posthorn/log/capture-log'
import { OpenQueueFile } from '@posthorn/queue/open-queue-file'
import { parseQueueId } from '@posthorn/queue/queue-id'
import { encodeRecord } from '@posthorn/queue/record'
import { deliveryRequest } from '@posthorn/testing/delivery-request'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { DELIVERY_FLAGS, noStats } from '@posthorn/wire/delivery-request'
import { virtualAgent, type AddressMap } from './virtual-agent.ts'
import { readVirtualSettings } from './virtual-settings.ts'

const uid = process.getuid?.() ?? 0
const gid = process.getgid?.() ?? 0

const request = deliveryRequest({
  queueId: 'A1',
  sizeBytes: 10,
  nexthop: 'v.test',
  sender: 's@x.test',
})

function table(entries: Record<string, string>): AddressMap {
  return async (address) => {
    const value = entries[address]
    if (value === 'broken') return Promise.resolve({ kind: 'tryAgain', reason: 'no table' })
    return Promise.resolve(value === undefined ? { kind: 'absent' } : { kind: 'found', value })
  }
}

/** Delivers one message to these recipients; what the log says, and where it was done. */
async function deliver(
  test: Parameters<typeof temporaryDirectory>[0],
  addresses: readonly string[],
  setup: {
    settings?: Record<string, string>
    flags?: number
    content?: string
    minimumUid?: number
  } = {},
): Promise<{ directory: string; lines: string[] }> {
  const directory = temporaryDirectory(test)
  mkdirSync(`${directory}/active`)
  const content = setup.content ?? encodeRecord('N', 'Subject: x') + encodeRecord('X')
  const records = addresses.map((address) => encodeRecord('R', address))
  writeFileSync(
    `${directory}/active/A1`,
    `${records.join('')}${content}${encodeRecord('E')}`,
    'latin1',
  )
  const config = MainConfig.of({
    virtual_mailbox_base: directory,
    deliver_lock_attempts: '1',
    ...setup.settings,
  })
  const context = {
    ...createDeliveryContext(config),
    records: {
      append: async () => Promise.resolve(true),
      updateVerify: async () => Promise.resolve(true),
      addToFlush: async () => Promise.resolve(),
    },
  }
  const before = process.cwd()
  process.chdir(directory)
  const log = captureLog()
  const file = OpenQueueFile.open(context.layout, 'active', parseQueueId('A1'), 'shared')
  if (file === undefined) throw new Error('no queue file')
  const job = new DeliveryJob(
    context,
    {
      ...request,
      flags: request.flags | (setup.flags ?? 0),
      dataOffset: records.join('').length,
      stats: { ...noStats, arrivalMs: Date.now(), activeMs: Date.now() },
    },
    addresses.map((address) => ({
      recipient: address,
      originalRecipient: address,
      dsnOriginalRecipient: '',
      notifyFlags: 0,
      offset: 0,
    })),
    file,
  )
  // root may run this test, and main.cf does not allow its uid
  const settings = { ...readVirtualSettings(config, 'virtual'), minimumUid: setup.minimumUid ?? 0 }
  const mailboxes = new MailboxDelivery()
  try {
    const agent = virtualAgent(settings, {
      mailboxes,
      mailboxMap: table({
        'a@v.test': 'a',
        'm@v.test': 'm/',
        'x@v.test': 'x',
        'y@v.test': 'y',
        'z@v.test': 'z',
        'deep@v.test': 'no/where',
        'b@v.test': 'broken',
      }),
      uidMap: table({
        'a@v.test': String(uid),
        'm@v.test': String(uid),
        'deep@v.test': String(uid),
        'y@v.test': '12x',
        'z@v.test': String(uid),
      }),
      gidMap: table({
        'a@v.test': String(gid || 1),
        'm@v.test': String(gid || 1),
        'deep@v.test': String(gid || 1),
        'z@v.test': '0',
      }),
    })
    await agent.deliver(job)
  } finally {
    file.close()
    mailboxes.close()
    log.restore()
    process.chdir(before)
  }
  return { directory, lines: log.lines.map((line) => line.replace(/delay.*dsn/, 'dsn')) }
}

t.test('virtualAgent() delivers to mailbox and maildir', async (t) => {
  const { directory, lines } = await deliver(t, ['A@V.test', 'm@v.test'])
  t.same(lines, [
    'A1: to=<A@V.test>, relay=virtual, dsn=2.0.0, status=sent (delivered to mailbox)',
    'A1: to=<m@v.test>, relay=virtual, dsn=2.0.0, status=sent (delivered to maildir)',
  ])
  t.match(
    readFileSync(`${directory}/a`, 'latin1'),
    /^From s@x\.test {2}.*\nReturn-Path: <s@x\.test>\nX-Original-To: A@V\.test\nDelivered-To: A@V\.test\nSubject: x\n\n$/,
  )
  const [name = ''] = readdirSync(`${directory}/m/new`)
  t.equal(
    readFileSync(`${directory}/m/new/${name}`, 'latin1'),
    'Return-Path: <s@x.test>\nX-Original-To: m@v.test\nDelivered-To: m@v.test\nSubject: x\n',
  )
})

t.test('virtualAgent() bounces unknown addresses and defers what is misconfigured', async (t) => {
  const { lines } = await deliver(t, [
    'nobody@v.test',
    'x@v.test',
    'y@v.test',
    'z@v.test',
    'b@v.test',
  ])
  const deferred = 'dsn=4.3.5, status=deferred (mail system configuration error)'
  t.same(lines, [
    'A1: to=<nobody@v.test>, relay=virtual, dsn=5.1.1, status=bounced (unknown user: "nobody@v.test")',
    'warning: recipient x@v.test: not found in virtual_uid_maps',
    `A1: to=<x@v.test>, relay=virtual, ${deferred}`,
    'warning: recipient y@v.test: bad uid 12x in virtual_uid_maps',
    `A1: to=<y@v.test>, relay=virtual, ${deferred}`,
    'warning: recipient z@v.test: bad gid 0 in virtual_gid_maps',
    `A1: to=<z@v.test>, relay=virtual, ${deferred}`,
    'warning: table virtual_mailbox_maps: lookup b@v.test: no table',
    `A1: to=<b@v.test>, relay=virtual, ${deferred}`,
  ])
})

t.test('virtualAgent() respects virtual_minimum_uid and virtual_mailbox_limit', async (t) => {
  const minimum = await deliver(t, ['a@v.test'], {
    minimumUid: uid + 1,
  })
  t.equal(minimum.lines[0], `warning: recipient a@v.test: bad uid ${uid} in virtual_uid_maps`)
  const full = await deliver(t, ['a@v.test', 'm@v.test'], {
    settings: { virtual_mailbox_limit: '30' },
  })
  t.match(
    full.lines[0],
    /dsn=5\.2\.2, status=bounced \(delivery failed to mailbox \S+\/a: error writing message: File too large\)$/,
  )
  t.match(
    full.lines[1],
    'dsn=5.2.2, status=bounced (maildir delivery failed: error writing message: File too large)',
  )
})

t.test('virtualAgent() defers when the mailbox cannot be written', async (t) => {
  const { lines } = await deliver(t, ['deep@v.test'])
  t.match(
    lines[0],
    /dsn=4\.2\.0, status=deferred \(delivery failed to mailbox \S+\/no\/where: unable to create lock file \S+\/no\/where\.lock: No such file or directory\)$/,
  )
})

t.test('virtualAgent() marks a damaged queue file', async (t) => {
  const { lines } = await deliver(t, ['m@v.test'], {
    content: encodeRecord('N', 'Subject: x') + encodeRecord('S', 'what?'),
  })
  t.match(lines[0], /^warning: A1: unexpected record type 'S'/)
  t.match(lines[1], 'dsn=4.3.0, status=deferred (maildir delivery failed: queue file corrupted)')
})

t.test('virtualAgent() does not deliver a probe', async (t) => {
  const { directory, lines } = await deliver(t, ['m@v.test'], { flags: DELIVERY_FLAGS.mtaVerify })
  t.match(lines[0], 'status=deliverable (delivers to maildir)')
  t.same(readdirSync(directory), ['active'])
})
