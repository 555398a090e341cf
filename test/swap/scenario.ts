/**
 * scenario - the mail that every swap cell must move, and what must be true afterwards
 *
 * 200 messages over SMTP (relayed, to a system user, to a virtual maildir), five through sendmail, one that
 * bounces, one that stays deferred and is shown by the queue commands. Nothing may be lost, and no daemon
 * may log a warning.
 */
import { chmod, chown, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import { Instance, type InstanceOptions } from '../../scripts/instance.ts'
import { SmtpSink, smtpSource } from '../../scripts/load.ts'

export const RELAYED = 120
export const LOCAL = 50
export const VIRTUAL = 30
export const SUBMITTED = 5

/** A user that every Debian system has, for local(8). */
const LOCAL_USER = 'daemon'
const VIRTUAL_UID = 5000
const DRAIN_LIMIT_MS = 30_000

export interface Outcome {
  readonly relayed: number
  readonly bounced: number
  readonly local: number
  readonly virtual: number
  readonly left: readonly string[]
  readonly mailq: string
  readonly sessions: number
  readonly reused: number
  readonly log: string
}

async function filesIn(folder: string): Promise<number> {
  return (await readdir(folder).catch(() => [])).length
}

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length
}

/** Runs the scenario in a fresh instance made by these options; always stops what it started. */
export async function runScenario(
  options: Omit<InstanceOptions, 'main' | 'owner'>,
): Promise<Outcome> {
  const sink = await SmtpSink.start({ keepsMessages: true })
  const spool = join(options.directory, 'mail')
  const vhosts = join(options.directory, 'vhosts')
  const instance = await Instance.create({
    ...options,
    owner: 'postfix',
    main: {
      relayhost: `[127.0.0.1]:${sink.port}`,
      mail_spool_directory: `${spool}/`,
      virtual_mailbox_domains: 'virtual.test',
      virtual_mailbox_maps: 'inline:{ user@virtual.test=user/ }',
      virtual_mailbox_base: vhosts,
      virtual_uid_maps: `static:${VIRTUAL_UID}`,
      virtual_gid_maps: `static:${VIRTUAL_UID}`,
      transport_maps:
        'inline:{ {bad.test = error:5.1.2 no such place}, {later.test = retry:4.4.1 not now} }',
      relay_domains: 'remote.test later.test bad.test',
      smtputf8_enable: 'no',
      // so that anvil(8) is asked about clients of our own network, too
      smtpd_client_event_limit_exceptions: '',
      smtpd_client_connection_rate_limit: '100000',
    },
  })
  try {
    await mkdir(spool, { recursive: true })
    await chmod(spool, 0o1777)
    await mkdir(vhosts, { recursive: true })
    await chown(vhosts, VIRTUAL_UID, VIRTUAL_UID)
    await instance.start()
    const load = { port: instance.smtpPort, sessions: 10 }
    await smtpSource({ ...load, messages: RELAYED, to: 'user@remote.test' })
    await smtpSource({ ...load, messages: LOCAL, to: `${LOCAL_USER}@mx.example.test` })
    await smtpSource({ ...load, messages: VIRTUAL, to: 'user@virtual.test' })
    // smtpd would refuse these two destinations at RCPT; submitted mail is bounced and deferred
    const submitted = Array<string>(SUBMITTED).fill('user@remote.test')
    for (const to of [...submitted, 'user@bad.test', 'user@later.test']) {
      const args = ['-C', instance.configDirectory, '-f', 'me@example.test', to]
      await execa(...instance.commandLine('sendmail', args), {
        input: 'Subject: submitted\n\nhello\n',
        timeout: DRAIN_LIMIT_MS,
      })
    }
    const maildir = join(spool, LOCAL_USER, 'new')
    const virtualMaildir = join(vhosts, 'user/new')
    await waitFor(
      async () => {
        const left = await instance.queued()
        return left.length === 1 && left[0]?.startsWith('deferred/') === true
      },
      'the queue to drain to the one deferred message',
      DRAIN_LIMIT_MS,
    ).catch(() => undefined) // what is missing shows in the outcome, with the log beside it
    const mailq = await instance.run('postqueue', ['-p'])
    const left = await instance.queued()
    const received = await sink.messages()
    const outcome = {
      relayed: count(received, /^X-Rcpt-Args: <user@remote\.test>/gm),
      bounced: count(received, /^Subject: Undelivered Mail Returned to Sender/gm),
      local: await filesIn(maildir),
      virtual: await filesIn(virtualMaildir),
      left,
      mailq,
    }
    await instance.stop()
    const log = await instance.log()
    return {
      ...outcome,
      sessions: count(log, /relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, delay=/g),
      reused: count(log, /conn_use=\d+/g),
      log,
    }
  } finally {
    await instance.stop()
    await sink.stop()
  }
}
