/**
 * cleanup-cases - the same records to cleanup(8) of both systems, and what each made of them
 *
 * One instance of each system has a cleanup service for every set of parameters that the cases want (`-o` in master.cf).
 * A case says what is sent over cleanup_protocol; its outcome is a text: the reply, the queue file record by record,
 * and the lines that were logged about it. What differs from run to run is replaced. Nothing is delivered.
 */
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeRecord, parseRecord } from '@posthorn/queue/record'
import { EndOfStreamError } from '@posthorn/stream/stream-error'
import { waitFor } from '@posthorn/testing/wait-for'
import { CLEANUP_FLAGS, openCleanup } from '@posthorn/wire/cleanup-protocol'
import type { Test } from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { SYSTEMS, startSystem } from './both-systems.ts'

export interface CleanupCase {
  readonly name: string
  /** Parameters of the cleanup service. */
  readonly main?: Readonly<Record<string, string>>
  /** Default: mail from smtpd(8) by a client that may rewrite. */
  readonly flags?: number
  readonly sender?: string
  readonly recipients?: readonly string[]
  /** Records between the time and the sender, as `Aname=value`: the type, and the payload. */
  readonly before?: readonly string[]
  /** The same, between the last recipient and the content. */
  readonly behind?: readonly string[]
  /** The content behind the Received: header; line by line. */
  readonly text?: string
  /** Records instead of `text`. */
  readonly content?: readonly string[]
  readonly extracted?: readonly string[]
  /** The whole stream, instead of all that. */
  readonly stream?: string
  /** The message goes back to its sender: the notice is part of the outcome, but for the words for people. */
  readonly isReturned?: boolean
  /** Log lines that are no part of the outcome. */
  readonly ignoredLog?: RegExp
}

export const MAIL = CLEANUP_FLAGS.filter | CLEANUP_FLAGS.bcc | CLEANUP_FLAGS.map
export const SUBMISSION = MAIL | CLEANUP_FLAGS.bounce | CLEANUP_FLAGS.autoUtf8

const RECEIVED = 'NReceived: by mx.example.test'
const ARRIVAL = 'T1700000000 123456'

/** An inline table of these keys and values; a key must have no blanks. */
export function inlineTable(entries: Readonly<Record<string, string>>): string {
  const items = Object.entries(entries).map(([key, value]) => `{${key}=${value}}`)
  return `inline:{${items.join(', ')}}`
}

function encode(records: readonly string[]): string {
  return records.map((record) => encodeRecord(record.charAt(0), record.slice(1))).join('')
}

export function streamOf(wanted: CleanupCase): string {
  if (wanted.stream !== undefined) return wanted.stream
  const text = wanted.text ?? 'Subject: s\n\nbody'
  return encode([
    ARRIVAL,
    ...(wanted.before ?? []),
    `S${wanted.sender ?? 'from@example.org'}`,
    ...(wanted.recipients ?? ['to@example.net']).map((address) => `R${address}`),
    ...(wanted.behind ?? []),
    'M',
    ...(wanted.content ?? [RECEIVED, ...text.split('\n').map((line) => `N${line}`)]),
    'X',
    ...(wanted.extracted ?? []),
    'E',
  ])
}

interface Sent {
  readonly id: string
  readonly outcome: string
}

async function send(instance: Instance, service: string, wanted: CleanupCase): Promise<Sent> {
  const path = join(instance.queueDirectory, 'public', service)
  if (wanted.isReturned === true) await newestNotice(instance) // what came of other cases
  const session = await openCleanup(path, {
    flags: wanted.flags ?? MAIL,
    timeoutMs: 20_000,
  }).catch(async (error: unknown) => {
    throw new Error(`Cannot send "${wanted.name}": ${(await instance.log()).slice(-1000)}`, {
      cause: error,
    })
  })
  session.send(Buffer.from(streamOf(wanted), 'latin1'))
  // a server that has seen enough may have answered and left: the answer is there to be read
  await session.ready().catch((error: unknown) => {
    if (!(error instanceof EndOfStreamError)) throw error
  })
  const { status, reason } = await session.finish()
  const found: string[] = []
  for (const queue of ['incoming', 'hold']) {
    const file = await readFile(join(instance.queueDirectory, queue, session.queueId)).catch(
      () => undefined,
    )
    if (file !== undefined) found.push(`queue ${queue}`, ...describeFile(file.toString('latin1')))
  }
  if (wanted.isReturned === true) found.push(await newestNotice(instance))
  return { id: session.queueId, outcome: [`status ${status} ${reason}`, ...found].join('\n') }
}

/** The one message of the null sender in the incoming queue, which is then removed. */
async function newestNotice(instance: Instance): Promise<string> {
  const directory = join(instance.queueDirectory, 'incoming')
  const notices: string[] = []
  for (const name of await readdir(directory)) {
    const records = describeFile(await readFile(join(directory, name), 'latin1'))
    if (!records.includes('S ""')) continue
    const text = records.join('\n').replaceAll(name, 'NOTICE')
    notices.push(
      text
        .replace(/^T .*$/m, 'T TIME')
        .replace(/; \w{3}, .*"/, '; DATE"')
        .replace(/^N "Date: \w{3}, [ \d]\d \w{3} 20[2-9][4-9].*$/m, 'N DATE')
        .replace(/\.\d+(\/mx)/g, '.TIME$1')
        .replace(/\d{14}\.NOTICE/g, 'TIME.NOTICE')
        .replace(/(text\/plain[^]*?)(?=N "<)/, 'N NOTIFICATION\n'),
    )
    await rm(join(directory, name))
  }
  return notices.join('\n')
}

/** One line per record; the size record says whether it tells the truth. */
export function describeFile(octets: string): string[] {
  const records: { type: string; payload: string; start: number; end: number }[] = []
  for (let at = 0; at < octets.length;) {
    const record = parseRecord(octets, at)
    if (record === undefined) return ['a file that ends inside a record']
    records.push({ ...record, start: at })
    at = record.end
  }
  const data = records.find(({ type }) => type === 'M')?.end ?? 0
  const size = (records.find(({ type }) => type === 'X')?.start ?? 0) - data
  const fields = (records[0]?.payload ?? '').trim().split(/ +/)
  const isTrue = fields[0] === String(size) && fields[1] === String(data) && fields[4] === fields[0]
  return records.map(({ type, payload }, at) => {
    if (at === 0) {
      return `C ${isTrue ? 'true' : 'false'} ${fields[2] ?? ''} ${fields[3] ?? ''} ${fields[5] ?? ''}`
    }
    const shown = payload.length > 300 ? `${payload.slice(0, 300)}... ${payload.length}` : payload
    return `${type} ${JSON.stringify(shown)}`
  })
}

function masterLines(cases: readonly CleanupCase[]): Map<string, string> {
  const services = new Map<string, string>()
  for (const { main = {} } of cases) {
    const key = JSON.stringify(main)
    if (!services.has(key)) services.set(key, `clean${services.size}`)
  }
  return services
}

/** Runs the cases on both systems and compares. */
export async function compareCases(
  t: Test,
  cases: readonly CleanupCase[],
  main: Readonly<Record<string, string>> = {},
): Promise<void> {
  const services = masterLines(cases)
  const outcomes: string[][] = []
  for (const system of SYSTEMS) {
    const instance = await startSystem(t, system, {
      main: {
        mail_name: 'Mail',
        myorigin: 'example.test',
        mydomain: 'example.test',
        mydestination: 'example.test, localhost',
        max_idle: '1s',
        in_flow_delay: '0',
        recipient_delimiter: '+',
        // What wakes the queue manager wakes pickup(8) instead, which has nothing to do.
        queue_service_name: 'pickup',
        ...main,
      },
      master: [
        'qmgr unix n - n 0 1 qmgr',
        ...[...services].map(
          ([key, name]) =>
            `${name} unix n - n - 0 cleanup${Object.entries(JSON.parse(key) as object)
              .map(
                ([parameter, value]) =>
                  ` -o { ${parameter} = ${String(value).replaceAll('$', '$$$$')} }`,
              )
              .join('')}`,
        ),
      ],
    })
    const sent: Sent[] = []
    for (const wanted of cases) {
      const service = services.get(JSON.stringify(wanted.main ?? {})) ?? ''
      sent.push(await send(instance, service, wanted))
    }
    const log = await wholeLog(instance, services)
    outcomes.push(
      sent.map(({ id, outcome }, at) => {
        const ignored = cases[at]?.ignoredLog
        const lines = linesAbout(log, id).filter((line) => ignored?.test(line) !== true)
        return comparableOutcome([outcome, ...lines].join('\n'), id)
      }),
    )
    await instance.stop()
  }
  const [theirs = [], ours = []] = outcomes
  for (const [at, wanted] of cases.entries()) t.equal(ours[at], theirs[at], wanted.name)
}

/** A last message, whose line in the log is behind all others. */
async function wholeLog(instance: Instance, services: Map<string, string>): Promise<string> {
  const [service = ''] = services.values()
  const last: CleanupCase = { name: 'last', text: 'Message-Id: <last@last.test>\n' }
  const { outcome } = await send(instance, service, last)
  return waitFor(
    async () => {
      const log = await instance.log()
      return log.includes('<last@last.test>') && log
    },
    `the last line of the log (${outcome}): ${(await instance.log()).slice(-1500)}`,
    20_000,
  )
}

function linesAbout(log: string, id: string): string[] {
  return (
    log
      .split('\n')
      .filter((line) => line.includes(`${id}: `) && line.includes('/cleanup['))
      // Postfix reads the file that it could not complete once more.
      .filter((line) => !line.includes('unexpected EOF in data'))
      .map((line) => line.replace(/^.*?\[\d+\]: /, 'log: '))
  )
}

function comparableOutcome(text: string, id: string): string {
  return text
    .replaceAll(id, 'QUEUEID')
    .replace(/\d{14}\.QUEUEID/g, 'TIME.QUEUEID')
    .replace(/create_time=\d+/g, 'create_time=TIME')
    .replace(/delay=[\d.]+, delays=[\d./]+/g, 'delay=N')
}
