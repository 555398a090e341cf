/**
 * tlsproxy-server.test - the tlsproxy(8) of Postfix and ours as TLS servers: the same for clients, the same log
 *
 * Each scenario is a tlsproxy(8) of its own settings, which is asked as postscreen(8) asks, for clients of node:tls. Compared is
 * what a client finds, what tlsproxy(8) tells about it, and the log. What node:tls cannot do (docs/limits.md), and what OpenSSL says
 * beyond an error number, is left out.
 */
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { socketPair } from '@posthorn/native/socket'
import { connectStream } from '@posthorn/stream/byte-stream'
import { issueCertificate } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import { Channel } from '@posthorn/wire/channel'
import {
  TlsContextList,
  TLSPROXY_FLAGS,
  TlsproxyOpening,
  tlsproxyProtocol,
  TlsproxyStatus,
} from '@posthorn/wire/tlsproxy-protocol'
import t, { type Test } from 'tap'
import { Instance } from '../../scripts/instance.ts'
import { FILES, SERVER_SCENARIOS, type ServerClient } from './tlsproxy-server-cases.ts'

const wanted = process.env['SCENARIO'] ?? ''
const NAMES = Object.keys(SERVER_SCENARIOS).filter((name) => name.includes(wanted))
/** Processes that start at the same time. */
const AT_ONCE = 4
const WAIT_MS = 30_000

interface Visitor {
  readonly client: ServerClient
  /** In the place of the client's address. */
  readonly endpoint: string
  /** Of the client before. */
  readonly session: Buffer | undefined
}

type Findings = Record<string, unknown>

/** What a client finds, and what its server's client hears. */
async function visit(path: string, visitor: Visitor): Promise<[Findings, Buffer | undefined]> {
  const { client, endpoint, session } = visitor
  const stream = await connectStream({ family: 'unix', path }, { timeoutMs: WAIT_MS })
  const channel = new Channel(stream)
  await channel.expectAnnouncement(tlsproxyProtocol)
  const { server, sendContext } = TLSPROXY_FLAGS
  const { flags = server | sendContext } = client
  channel.send(
    TlsproxyOpening.encode({
      remoteEndpoint: endpoint,
      flags,
      handshakeTimeoutSeconds: client.raw === 'silent' ? 1 : 10,
      sessionTimeoutSeconds: 10,
      serverId: 'smtpd',
    }),
  )
  try {
    const { status } = TlsproxyStatus.parse(await channel.receiveReply())
    if (status !== 1) return [{ status }, undefined]
    const [near, far] = socketPair()
    await stream.sendDescriptor(near)
    const socket = new Socket({ fd: far.release() })
    socket.on('error', () => undefined)
    if (client.raw !== undefined) {
      if (client.raw !== 'silent') socket.end(Buffer.from(client.raw, 'hex'))
      const ended = await stream.fill()
      socket.destroy()
      return [{ status, ended: !ended }, undefined]
    }
    return await converse(channel, flags, secured(socket, client, session))
  } finally {
    channel.close()
  }
}

function secured(socket: Socket, client: ServerClient, session: Buffer | undefined): TLSSocket {
  const own = client.certificate === undefined ? undefined : issueCertificate(client.certificate)
  return connect({
    socket,
    rejectUnauthorized: false,
    ...(own && { key: own.key, cert: own.cert }),
    ...(client.resumes === true && session !== undefined && { session }),
    ...client.tls,
  })
}

/** The handshake, and a line each way. */
async function converse(
  channel: Channel,
  flags: number,
  tls: TLSSocket,
): Promise<[Findings, Buffer | undefined]> {
  let session: Buffer | undefined
  let failure: Error | undefined
  tls.on('error', (error: Error) => {
    failure = error
  })
  tls.on('session', (given: Buffer) => (session = given))
  const closed = new Promise((resolve) => tls.once('close', resolve))
  try {
    const asksContext = (flags & TLSPROXY_FLAGS.sendContext) !== 0
    const attrs = asksContext ? await channel.receive() : undefined
    if (asksContext && attrs === undefined) {
      await closed
      return [{ alert: /alert number \d+/.exec(failure?.message ?? '')?.[0] }, undefined]
    }
    const context = attrs === undefined ? {} : TlsContextList.parse(attrs)
    const heard = once(tls, 'data')
    channel.stream.write('220 mx.test\r\n')
    const [greeting] = (await heard) as Buffer[]
    tls.write('QUIT\r\n')
    const said = await channel.stream.readUntil('\r\n', 100)
    const findings = { ...context, ...described(tls), greeting: String(greeting), said }
    channel.close()
    tls.once('end', () => tls.end())
    await closed
    return [findings, session]
  } finally {
    tls.destroy()
  }
}

function described(tls: TLSSocket): Findings {
  const names: string[] = []
  let certificate = tls.getPeerX509Certificate()
  for (; certificate !== undefined; certificate = certificate.issuerCertificate) {
    names.push(`${certificate.subject} ${certificate.publicKey.asymmetricKeyType}`)
  }
  const { type, size } = { type: '', size: 0, ...tls.getEphemeralKeyInfo() }
  const isReused = tls.isSessionReused()
  return {
    names,
    isReused,
    // a resumed session of TLS 1.2 has none
    ...(!isReused && { keyExchange: [type, size] }),
    protocol: tls.getProtocol(),
    cipher: tls.getCipher().name,
  }
}

/** Endpoint of the client with this number. */
function endpointOf(name: string, at: number): string {
  return `[${name}]:${at}`
}

interface Outcome {
  readonly findings: readonly Findings[]
  readonly lines: readonly string[]
}

async function run(t: Test, exchanged: readonly string[]): Promise<Record<string, Outcome>> {
  const directory = await mkdtemp(join(tmpdir(), 'parity-postfix-'))
  await chmod(directory, 0o755)
  for (const [name, text] of Object.entries(FILES)) {
    await writeFile(join(directory, name), text(), { mode: 0o600 })
  }
  const setting = ([name, value]: [string, string]): string =>
    `-o { ${name}=${value.replace(/@(\w+)/g, `${directory}/$1`)} }`
  const instance = await Instance.create({
    directory: join(directory, 'i'),
    commands: 'postfix',
    daemons: 'postfix',
    exchanged,
    owner: 'postfix',
    main: {
      // without it in main.cf the real tlsproxy(8) dies by signal 11
      smtp_tls_security_level: 'may',
      smtpd_tls_security_level: 'may',
      smtpd_tls_loglevel: '1',
      smtpd_tls_CAfile: join(directory, 'ca'),
      smtpd_tls_chain_files: join(directory, 'ec'),
      smtpd_tls_session_cache_database: 'btree:${data_directory}/smtpd_scache',
    },
    master: NAMES.map((name) => {
      const { settings = {} } = SERVER_SCENARIOS[name] ?? {}
      const options = Object.entries(settings).map(setting).join(' ')
      return `${name} unix - - n - 0 tlsproxy -o syslog_name=${name} ${options}`
    }),
  })
  t.teardown(async () => {
    await instance.stop()
    await rm(directory, { recursive: true, force: true })
  })
  await instance.start()
  const findings = new Map<string, Findings[]>()
  const queue = [...NAMES]
  const work = async (): Promise<void> => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      findings.set(name, await visitAll(instance, name))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  await instance.stop()
  const log = await instance.log()
  return Object.fromEntries(
    NAMES.map((name) => [name, { findings: findings.get(name) ?? [], lines: linesOf(log, name) }]),
  )
}

async function visitAll(instance: Instance, name: string): Promise<Findings[]> {
  const path = join(instance.queueDirectory, 'private', name)
  const all: Findings[] = []
  let session: Buffer | undefined
  for (const [at, client] of (SERVER_SCENARIOS[name]?.clients ?? []).entries()) {
    const endpoint = endpointOf(name, at)
    const [findings, given] = await visit(path, { client, endpoint, session })
    all.push(findings)
    // a client may be gone before the server has logged it
    const isLogged = async (): Promise<boolean> =>
      (await instance.log()).includes(`DISCONNECT ${endpoint}\n`)
    await waitFor(isLogged, `${endpoint} to be gone`, WAIT_MS)
    session = given ?? session
  }
  return all
}

const LEFT_OUT = [
  // OpenSSL's own tales
  /^SSL_accept:|^SSL3 alert /,
  // node:tls has one line for what OpenSSL 3.0 has several
  /TLS library problem: error:(?:10000080:BIO|05880002:x509)/,
  // Postfix stores the session of a ticket, too, and issues tickets where it asks for certificates: docs/differences.md
  /: (?:save session|(?:Issuing|Decrypting) session ticket)/,
]

function linesOf(log: string, name: string): string[] {
  const lines = [...log.matchAll(new RegExp(` ${name}/tlsproxy\\[\\d+\\]: (.*)`, 'g'))]
    .map(([, line = '']) => line)
    .filter((line) => !LEFT_OUT.some((pattern) => pattern.test(line)))
    .map((line) => line.replace('tlsp_get_request_event: ', ''))
    .map((line) => line.replace(/(TLS library problem: error:\w+:[^:]*:).*/, '$1'))
    .map((line) => line.replace(/[0-9A-F]{64}&s=smtpd&l=\d+/, 'ID'))
    .map((line) => line.replace(/\/tmp\/parity-postfix-\w+/g, 'DIR'))
  // what is logged twice in a row is logged once
  return lines.filter((line, at) => line !== lines[at - 1])
}

t.test('the same for clients, and the same log', async (t) => {
  const [postfix, posthorn] = await Promise.all([run(t, []), run(t, ['tlsproxy'])])
  for (const name of NAMES) {
    t.same(posthorn[name]?.findings, postfix[name]?.findings, `${name}: what clients find`)
    t.same(posthorn[name]?.lines, postfix[name]?.lines, `${name}: the log`)
    t.ok((postfix[name]?.lines.length ?? 0) > 1, `${name}: there is something to compare`)
  }
})
