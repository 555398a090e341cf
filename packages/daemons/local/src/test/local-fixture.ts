/**
 * local-fixture - one message for one recipient, delivered by local(8) in a directory of the test's own (for tests)
 */
/* eslint-disable n/no-sync -- for tests */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MainConfig } from '@posthorn/config/main-config'
import { createDeliveryContext } from '@posthorn/delivery/delivery-context'
import { DeliveryJob } from '@posthorn/delivery/delivery-job'
import { MailboxDelivery } from '@posthorn/delivery/mailbox/mailbox-delivery'
import { captureLog } from '@posthorn/log/capture-log'
import { SystemError } from '@posthorn/native/system-error'
import { OpenQueueFile } from '@posthorn/queue/open-queue-file'
import { parseQueueId } from '@posthorn/queue/queue-id'
import { encodeRecord } from '@posthorn/queue/record'
import { deliveryRequest } from '@posthorn/testing/delivery-request'
import { noStats } from '@posthorn/wire/delivery-request'
import { RESOLVE_FLAGS } from '@posthorn/wire/rewrite-protocol'
import { AliasTables } from '../alias-tables.ts'
import { localAgent } from '../local-agent.ts'
import { readLocalSettings } from '../local-settings.ts'
import { ForwardPaths } from '../forward-paths.ts'
import { MailboxRoutes } from '../mailbox-routes.ts'

const request = deliveryRequest({
  queueId: 'A1',
  sizeBytes: 10,
  nexthop: 'host.test',
  sender: 's@x.test',
})

interface Setup {
  readonly settings?: Record<string, string>
  readonly lines?: readonly string[]
  readonly flags?: number
  readonly original?: string
  /** Path below the home directory of bob, and what is in the file. */
  readonly homeFile?: readonly [path: string, text: string, mode?: number]
  readonly refusesForwards?: boolean
}

/** Delivers one message to one recipient; what the log says of it, and the directory that it was done in. */
export async function deliver(
  test: { teardown: (undo: () => void) => unknown },
  address: string,
  setup: Setup = {},
): Promise<{ directory: string; lines: string[]; records: string[]; forwarded: string[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-local-'))
  test.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  mkdirSync(`${directory}/active`)
  mkdirSync(`${directory}/mail`)
  mkdirSync(`${directory}/home`)
  if (setup.homeFile !== undefined) {
    const [path, text, mode = 0o644] = setup.homeFile
    writeFileSync(`${directory}/home/${path}`, text)
    chmodSync(`${directory}/home/${path}`, mode)
  }
  const recipientRecord = encodeRecord('R', address)
  const content = (setup.lines ?? ['Subject: x', '', 'hi']).map((line) => encodeRecord('N', line))
  writeFileSync(
    `${directory}/active/A1`,
    `${recipientRecord}${content.join('')}${encodeRecord('X')}${encodeRecord('E')}`,
    'latin1',
  )
  const config = MainConfig.of({
    mail_spool_directory: `${directory}/mail`,
    alias_maps: '',
    recipient_delimiter: '+',
    deliver_lock_attempts: '1',
    ...setup.settings,
  })
  const records: string[] = []
  const forwarded: string[] = []
  const context = {
    ...createDeliveryContext(config),
    records: {
      append: async (kind: string) => {
        records.push(kind)
        return Promise.resolve(true)
      },
      updateVerify: async () => Promise.resolve(true),
      addToFlush: async () => Promise.resolve(),
    },
  }
  const before = process.cwd()
  process.chdir(directory)
  const log = captureLog()
  const file = OpenQueueFile.open(context.layout, 'active', parseQueueId('A1'), 'shared')
  if (file === undefined) throw new Error('no queue file')
  const recipient = {
    recipient: address,
    originalRecipient: setup.original ?? address,
    dsnOriginalRecipient: '',
    notifyFlags: 0,
    offset: 0,
  }
  const job = new DeliveryJob(
    context,
    {
      ...request,
      flags: request.flags | (setup.flags ?? 0),
      dataOffset: recipientRecord.length,
      stats: { ...noStats, arrivalMs: Date.now(), activeMs: Date.now() },
    },
    [recipient],
    file,
  )
  const mailboxes = new MailboxDelivery()
  try {
    const agent = localAgent(readLocalSettings(config, 'local'), {
      mailboxes,
      aliases: new AliasTables(config),
      forwardPaths: new ForwardPaths(config),
      routes: new MailboxRoutes(config),
      findIdentity: () => ({
        uid: process.getuid?.() ?? 0,
        gid: process.getgid?.() ?? 0,
        name: '',
      }),
      passOn: async (_, passed, transport) => {
        forwarded.push(`${transport} gets ${passed.recipient}`)
        if (transport === 'broken:') throw new Error('nobody there')
        return Promise.resolve(transport === 'x:')
      },
      findUser: (name) => {
        if (name === 'trouble') throw new SystemError('getpwnam', 5)
        if (!['bob', 'nohome'].includes(name)) return undefined
        return {
          name,
          uid: process.getuid?.() ?? 0,
          gid: process.getgid?.() ?? 0,
          home: name === 'bob' ? `${directory}/home` : '/nonexistent/home',
          shell: '/bin/sh',
          gecos: '',
        }
      },
      complete: async (target) =>
        Promise.resolve(target.includes('@') ? target : `${target}@host.test`),
      resolve: async (_, address) =>
        Promise.resolve({
          transport: address.endsWith('@host.test') ? 'local' : 'smtp',
          nexthop: 'host.test',
          recipient: address,
          flags: address.includes('@bad') ? RESOLVE_FLAGS.error : RESOLVE_FLAGS.classLocal,
        }),
      forward: async (_, sender, recipients, deliveredTo) => {
        const names = recipients.map((one) => `${one.recipient} (${one.originalRecipient})`)
        forwarded.push(`${sender} to ${names.join(', ')} for ${deliveredTo}`)
        return Promise.resolve(setup.refusesForwards === true ? undefined : 'F1')
      },
    })
    await agent.deliver(job)
  } finally {
    file.close()
    mailboxes.close()
    log.restore()
    process.chdir(before)
  }
  const lines = log.lines.map((line) => line.replace(/delay.*dsn/, 'dsn'))
  return { directory, lines, records, forwarded }
}
