/**
 * conversation.test - whole SMTP sessions, with a cleanup(8) and a trivial-rewrite(8) that are a few lines
 *
 * conversation.in holds the client's words, a blank line between sessions; conversation.ref what both said, what was
 * logged, and the records that the fake cleanup(8) was given. POSTHORN_GOLDEN=write rewrites the .ref file.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { splitAddress } from '@posthorn/address/split-address'
import { MainConfig } from '@posthorn/config/main-config'
import { createServiceContext } from '@posthorn/daemon/service-context'
import { captureLog } from '@posthorn/log/capture-log'
import { Acceptor, listenOn, socketPair } from '@posthorn/native/socket'
import { parseRecord } from '@posthorn/queue/record'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { Channel } from '@posthorn/wire/channel'
import {
  CLEANUP_FLAGS,
  announceCleanup,
  cleanupProtocol,
  CleanupOpening,
  SubmissionReply,
} from '@posthorn/wire/cleanup-protocol'
import {
  parseRewriteRequest,
  RESOLVE_FLAGS,
  ResolveReplyList,
  RewriteReply,
  rewriteProtocol,
} from '@posthorn/wire/rewrite-protocol'
import { VerifyQuery, VerifyQueryReply, verifyProtocol } from '@posthorn/wire/verify-protocol'
import { defineSmtpd } from './smtpd.ts'

const SETTINGS = {
  compatibility_level: '3.6',
  myhostname: 'mx.example.com',
  mail_name: 'Posthorn',
  mynetworks: '198.51.100.0/24',
  mydestination: 'example.com',
  local_recipient_maps: 'inline:{joe=x}',
  relay_recipient_maps: '',
  relay_domains: 'relay.example',
  smtpd_peername_lookup: 'no',
  smtpd_client_connection_count_limit: '0',
  smtpd_error_sleep_time: '0',
  smtpd_hard_error_limit: '6',
  ipc_idle: '1s',
  smtpd_policy_service_max_idle: '1s',
  smtpd_recipient_limit: '3',
  message_size_limit: '1000',
  smtpd_sender_restrictions:
    'check_sender_access inline:{ {bad@x.example = REJECT go away} {hold@x.example = HOLD} }',
}

/** What the fake trivial-rewrite(8) says of these domains; others are in the default class. */
const CLASSES: Readonly<Record<string, number>> = {
  'example.com': RESOLVE_FLAGS.classLocal,
  'relay.example': RESOLVE_FLAGS.classRelay,
  'alias.example': RESOLVE_FLAGS.classVirtualAlias,
}

/** Serves `path` with one conversation per connection; resolves when those so far are over. */
function serveOn(
  t: Test,
  path: string,
  serve: (channel: Channel) => Promise<void>,
): () => Promise<unknown> {
  const conversations: Promise<void>[] = []
  const listener = listenOn({ family: 'unix', path }, { backlog: 10 })
  const acceptor = new Acceptor(listener, (client) => {
    const stream = new ByteStream(client, { timeoutMs: 10_000 })
    conversations.push(
      serve(new Channel(stream)).finally(() => {
        stream.close()
      }),
    )
  })
  acceptor.resume()
  t.teardown(() => {
    acceptor.close()
  })
  return async () => Promise.allSettled(conversations)
}

/** example.com is local, relay.example is relayed; everything else goes to its own MX. */
async function rewriteService(channel: Channel): Promise<void> {
  channel.announce(rewriteProtocol)
  for (;;) {
    const attrs = await channel.receive()
    if (attrs === undefined) return
    const request = parseRewriteRequest(attrs)
    const { address } = request
    if (request.request === 'rewrite') {
      const full = address.includes('@') ? address : `${address}@example.com`
      channel.send(RewriteReply.encode({ serverFlags: 0, address: full }))
      continue
    }
    const domain = splitAddress(address).domain ?? ''
    const flags = CLASSES[domain] ?? RESOLVE_FLAGS[domain.includes('..') ? 'error' : 'classDefault']
    const transport = domain === 'example.com' ? 'local' : 'smtp'
    channel.send(
      ResolveReplyList.encode({
        serverFlags: 0,
        transport,
        nexthop: domain,
        recipient: address,
        flags,
      }),
    )
  }
}

/** Takes records up to END, notes them, and agrees; content with "refuse" in it is refused. */
function cleanupService(notes: string[]): (channel: Channel) => Promise<void> {
  let count = 0
  return async (channel) => {
    announceCleanup(channel, `QUEUEID${++count}`)
    const attrs = await channel.receive()
    if (attrs === undefined) return
    notes.push(
      `${cleanupProtocol} flags=${CleanupOpening.parse(attrs).flags & ~CLEANUP_FLAGS.stay}`,
    )
    const { stream } = channel
    let isRefused = false
    for (;;) {
      const record = parseRecord(stream.buffered)
      if (record === undefined) {
        if (await stream.fill()) continue
        notes.push('cancelled')
        return
      }
      stream.take(record.end)
      if (record.payload.includes('refuse')) isRefused = true
      if (record.type === 'E') break
      notes.push(record.type === 'T' ? 'T (time)' : `${record.type} ${record.payload}`)
    }
    channel.send(
      isRefused
        ? SubmissionReply.encode({ status: 8, reason: '5.7.1 not wanted', stays: false })
        : SubmissionReply.encode({ status: 0, reason: '', stays: false }),
    )
    await stream.flush()
  }
}

/** Decides by the recipient; notes the first request whole, then what changes. Leaves after `gone`. */
function policyService(notes: string[]): (channel: Channel) => Promise<void> {
  return async ({ stream }) => {
    for (;;) {
      const octets = await stream.readUntil('\n\n', 4000).catch(() => undefined)
      if (octets === undefined) return
      const all = new Map(
        octets.split('\n').map((line) => line.split(/=(.*)/s, 2) as [string, string]),
      )
      const recipient = all.get('recipient') ?? ''
      notes.push(
        `policy: ${octets.replaceAll('\n', ' ').replace(/instance=\S+\.(\d+)/, 'instance=..$1')}`,
      )
      if (recipient.startsWith('gone')) return
      const action = recipient.startsWith('bad') ? 'reject 5.7.9 no way' : 'dunno'
      stream.write(recipient.startsWith('odd') ? 'x=y\n\n' : `more=1\naction=${action}\n\n`)
      await stream.flush()
    }
  }
}

/** Knows addresses by their local part. */
async function verifyService(channel: Channel): Promise<void> {
  channel.announce(verifyProtocol)
  for (;;) {
    const attrs = await channel.receive()
    if (attrs === undefined) return
    const { address } = VerifyQuery.parse(attrs)
    const { local } = splitAddress(address)
    const recipientStatus = { bounced: 2, todo: 3 }[local] ?? 0
    const status = local === 'failed' ? -1 : 0
    const reason = local === 'bounced' ? '5.1.1 no such user' : 'in progress'
    channel.send(VerifyQueryReply.encode({ status, recipientStatus, reason }))
  }
}

/** One session: what is sent, what comes back. */
async function converse(
  service: { serve?: (stream: ByteStream, client: never) => Promise<void> },
  script: readonly string[],
): Promise<string[]> {
  const [ours, theirs] = socketPair()
  const stream = new ByteStream(ours, { timeoutMs: 10_000 })
  const server = new ByteStream(theirs, { timeoutMs: 10_000 })
  const client = {
    peer: { family: 'inet', address: '192.0.2.1', port: 4711 },
    local: { family: 'inet', address: '192.0.2.25', port: 25 },
    arrival: 'accepted',
    signal: new AbortController().signal,
  }
  const serve = async (): Promise<void> => {
    await service.serve?.(server, client as never)
    await server.end().catch(() => undefined)
  }
  const served = serve()
  const transcript: string[] = []
  const readReplies = async (count: number): Promise<void> => {
    for (let seen = 0; seen < count;) {
      const line = await stream.readUntil('\r\n', 2000)
      transcript.push(`S: ${line}`)
      if (line.charAt(3) !== '-') seen++
    }
  }
  try {
    await readReplies(1)
    for (const line of script) {
      // "N: text" expects N replies; \n and the like as in C
      const [, count = '1', text = ''] = /^(\d)?: ?(.*)$/.exec(line) ?? []
      const octets = JSON.parse(`"${text.replaceAll('"', '\\"')}"`) as string
      transcript.push(`C: ${text}`)
      stream.write(octets.endsWith('\f') ? octets.slice(0, -1) : `${octets}\r\n`)
      await stream.flush()
      await readReplies(Number(count))
    }
  } catch (error) {
    transcript.push(`(${error instanceof Error ? error.constructor.name : 'error'})`)
  }
  stream.close()
  await served
  return transcript
}

/** What is the same in every session is shown in the first one only. */
function shorten(transcript: string[], notes: string[]): void {
  const keep = (lines: string[], pattern: RegExp): void => {
    lines.splice(0, lines.length, ...lines.filter((line) => !pattern.test(line)))
  }
  keep(transcript, /^S: 250-/)
  keep(notes, /^A (?:log_|client_|reverse_|server_|helo_|protocol_|rewrite_)/)
}

t.test('sessions as in conversation.ref', async (t) => {
  const directory = temporaryDirectory(t)
  const before = process.cwd()
  process.chdir(directory)
  t.teardown(() => {
    process.chdir(before)
  })
  mkdirSync('public')
  mkdirSync('private')
  const notes: string[] = []
  const cleanedUp = serveOn(t, 'public/cleanup', cleanupService(notes))
  serveOn(t, 'private/rewrite', rewriteService)
  serveOn(t, 'private/policy', policyService(notes))
  serveOn(t, 'private/verify', verifyService)

  const report: string[] = []
  const input = readFileSync(new URL('conversation.in', import.meta.url), 'latin1')
  for (const block of input.trim().split(/\n\n+/)) {
    const lines = block.split('\n')
    const title = lines.filter((line) => line.startsWith('#'))
    const settings = lines
      .filter((line) => line.startsWith('-o '))
      .map((line) => line.slice(3).split(/=(.*)/, 2) as [string, string])
    const script = lines.filter((line) => /^\d?:/.test(line))
    const config = MainConfig.of({ ...SETTINGS, ...Object.fromEntries(settings) })
    const captured = captureLog()
    const service = await defineSmtpd().start(createServiceContext(config))
    const transcript = await converse(service, script)
    await cleanedUp()
    captured.restore()
    if (report.length > 0) shorten(transcript, notes)
    report.push(...title, ...transcript, ...captured.lines.map((line) => `log: ${line}`))
    report.push(...notes.splice(0).map((line) => `cleanup: ${line}`), '')
  }
  const found = report.join('\n').replace(/(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), .*$/gm, '(date)')
  const reference = new URL('conversation.ref', import.meta.url)
  if (process.env['POSTHORN_GOLDEN'] === 'write') writeFileSync(reference, found, 'latin1')
  t.equal(found, readFileSync(reference, 'latin1'))
})
