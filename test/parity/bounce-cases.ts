/**
 * bounce-cases - the same requests to bounce(8), defer and trace of both systems, and the notices that come of them
 *
 * A message is put into the incoming queue, entries are written into its log, and a report is asked for: all over the
 * real sockets, as qmgr(8) and the delivery agents would. The outcome is the reply, the notices record by record (they
 * lie in the incoming queue, too), and what is left of the log. Every set of parameters has bounce services of its own.
 */
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DsnFields, Recipient } from '@posthorn/wire/attr-groups'
import { emptyDsn } from '@posthorn/wire/attr-groups'
import { sendBounceRequest } from '@posthorn/wire/bounce-protocol'
import { waitFor } from '@posthorn/testing/wait-for'
import { CLEANUP_FLAGS, openCleanup } from '@posthorn/wire/cleanup-protocol'
import type { Test } from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { SYSTEMS, startSystem } from './both-systems.ts'
import { describeFile, streamOf, type CleanupCase } from './cleanup-cases.ts'

export interface BounceCase {
  readonly name: string
  readonly main?: Readonly<Record<string, string>>
  /** The text of bounce_template_file. */
  readonly template?: string
  /** The message; without, there is no queue file. */
  readonly message?: CleanupCase
  readonly sender?: string
  readonly entries?: readonly { recipient?: Partial<Recipient>; dsn?: Partial<DsnFields> }[]
  readonly log?: 'bounce' | 'defer' | 'trace'
  readonly request: 1 | 2 | 3 | 4 | 5
  readonly flags?: number
  readonly encoding?: string
  readonly smtpUtf8?: number
  readonly envelopeId?: string
  readonly returnFlags?: number
  readonly delimiters?: string
  /** Lines that are said in other words. */
  readonly ignoredLog?: RegExp
  /** Postfix leaves the log behind, we do not. */
  readonly ignoresLog?: boolean
}

export const TEMPLATE = ['failure', 'delay', 'success', 'verify']
  .map((name) => `${name}_template = <<EOF\n\nThis is ${name} at $myhostname.\nEOF\n`)
  .join('\n')

const SEEN = new Set<string>()

interface Asked {
  readonly id: string
  readonly outcome: string
}

async function ask(instance: Instance, service: string, wanted: BounceCase): Promise<Asked> {
  const { queueDirectory } = instance
  const socket = (name: string): string => join(queueDirectory, 'private', name)
  const options = { timeoutMs: 20_000 }
  let id = 'ABCDEF0123'
  const sender = wanted.sender ?? 'from@example.org'
  if (wanted.message !== undefined) {
    const session = await openCleanup(join(queueDirectory, 'public/cleanup'), {
      flags: CLEANUP_FLAGS.map | (wanted.smtpUtf8 === undefined ? 0 : CLEANUP_FLAGS.smtpUtf8),
      timeoutMs: 20_000,
    })
    id = session.queueId
    session.send(Buffer.from(streamOf({ sender, ...wanted.message }), 'latin1'))
    await session.finish()
    SEEN.add(id)
  }
  const log = wanted.log ?? 'bounce'
  const entries = (wanted.entries ?? [{}]).map(({ recipient, dsn }) => ({
    recipient: {
      originalRecipient: '',
      recipient: 'to@example.net',
      offset: 0,
      dsnOriginalRecipient: '',
      notifyFlags: 0,
      ...recipient,
    },
    dsn: { ...emptyDsn, status: '5.1.1', action: 'failed', reason: 'some reason', ...dsn },
  }))
  let statuses = ''
  const send = async (request: Parameters<typeof sendBounceRequest>[1]): Promise<void> => {
    statuses += ` ${await sendBounceRequest(socket(`${log}${service}`), request, options)}`
  }
  const fields = {
    flags: wanted.flags ?? 0,
    queueName: 'incoming',
    queueId: id,
    encoding: wanted.encoding ?? '',
    smtpUtf8: wanted.smtpUtf8 ?? 0,
    sender,
    envelopeId: wanted.envelopeId ?? '',
    returnFlags: wanted.returnFlags ?? 0,
  }
  const [first] = entries
  if (wanted.request === 4) {
    if (first !== undefined) await send({ request: 4, ...fields, ...first })
  } else {
    for (const entry of entries) await send({ request: 0, flags: 0, queueId: id, ...entry })
    if (wanted.request === 3) {
      await send({ request: 3, ...fields, delimiters: wanted.delimiters ?? '+=' })
    } else await send({ request: wanted.request, ...fields })
  }
  const notices: string[] = []
  for (const name of await readdir(join(queueDirectory, 'incoming'))) {
    if (SEEN.has(name)) continue
    // Postfix begins a notice before it knows whether there is anything to say, and takes it back.
    const path = join(queueDirectory, 'incoming', name)
    const stats = await stat(path).catch(() => undefined)
    if (stats === undefined || (stats.mode & 0o100) === 0) continue
    SEEN.add(name)
    const octets = await readFile(path, 'latin1')
    const text = describeFile(octets).join('\n').replaceAll(name, 'NOTICE')
    notices.push(comparableNotice(text, id))
  }
  const left = await readdir(join(queueDirectory, log), { recursive: true })
  const isLogLeft = left.some((name) => name.endsWith(id))
  const text = [
    `statuses${statuses}`,
    ...notices.sort(),
    `log left: ${wanted.ignoresLog === true ? '-' : String(isLogLeft)}`,
  ]
  return { id, outcome: text.join('\n') }
}

/** The log, once the line about the last request is there. */
async function wholeLog(instance: Instance): Promise<string> {
  const last: BounceCase = { name: 'last', request: 1, message: { name: '' } }
  const { id, outcome } = await ask(instance, '', last)
  return waitFor(
    async () => {
      const log = await instance.log()
      return log.includes(`${id}: sender non-delivery`) && log
    },
    `the last line of the log (${outcome})`,
    20_000,
  )
}

function linesAbout(log: string, id: string): string[] {
  return log
    .split('\n')
    .filter((line) => line.includes(`${id}: `) && /\/(bounce|defer|trace)\[/.test(line))
    .map((line) => comparableNotice(line.replace(/^.*?\[\d+\]: /, 'log: '), id))
}

function comparableNotice(text: string, id: string): string {
  return text
    .replaceAll(id, 'QUEUEID')
    .replace(/(notification: )[0-9A-F]+/g, '$1NOTICE')
    .replace(/QUEUEID\.\d+\//g, 'QUEUEID.TIME/')
    .replace(/\w{3}, [ \d]\d \w{3} 20(2[4-9]|[3-9]\d) [\d:]{8} \+0000 \(UTC\)/g, 'NOW')
    .replace(/\d{14}\.(NOTICE|QUEUEID)/g, 'TIME.$1')
    .replace(/create_time=\d+/g, 'create_time=TIME')
    .replace(/^T ".*"$/gm, 'T "TIME"')
}

/** Runs the cases on both systems and compares. */
export async function compareNotices(t: Test, cases: readonly BounceCase[]): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'parity-bounce-'))
  t.teardown(async () => rm(directory, { recursive: true, force: true }))
  await chmod(directory, 0o755)
  const services = new Map<string, string>()
  const master: string[] = []
  for (const { main = {}, template = TEMPLATE } of cases) {
    const key = JSON.stringify([main, template])
    if (services.has(key)) continue
    const number = String(services.size)
    services.set(key, number)
    const path = join(directory, `template${number}`)
    await writeFile(path, Buffer.from(template, 'latin1'))
    const parameters = { ...(template === '' ? {} : { bounce_template_file: path }), ...main }
    const options = Object.entries(parameters).map(([name, value]) => {
      return ` -o { ${name} = ${value.replaceAll('$', '$$$$')} }`
    })
    for (const log of ['bounce', 'defer', 'trace']) {
      master.push(`${log}${number} unix - - n - 0 bounce -n ${log}${options.join('')}`)
    }
  }
  const outcomes: string[][] = []
  for (const system of SYSTEMS) {
    const instance = await startSystem(t, system, {
      main: {
        mail_name: 'Mail',
        myorigin: 'example.test',
        mydomain: 'example.test',
        max_idle: '1s',
        in_flow_delay: '0',
        queue_service_name: 'pickup',
      },
      master: ['qmgr unix n - n 0 1 qmgr', ...master],
    })
    const found: Asked[] = []
    for (const wanted of cases) {
      const key = JSON.stringify([wanted.main ?? {}, wanted.template ?? TEMPLATE])
      const asked = await ask(instance, services.get(key) ?? '', wanted).catch(
        async (error: unknown) => {
          const log = (await instance.log()).slice(-1000)
          throw new Error(`Cannot ask for "${wanted.name}": ${log}`, { cause: error })
        },
      )
      found.push(asked)
    }
    const log = await wholeLog(instance)
    const texts = found.map(({ id, outcome }, at) => {
      const ignored = cases[at]?.ignoredLog
      const lines = linesAbout(log, id).filter((line) => ignored?.test(line) !== true)
      return [outcome, ...lines].join('\n')
    })
    outcomes.push(texts)
    await instance.stop()
  }
  const [theirs = [], ours = []] = outcomes
  for (const [at, wanted] of cases.entries()) t.equal(ours[at], theirs[at], wanted.name)
}
