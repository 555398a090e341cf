/**
 * server-role.test - what postscreen(8) asks for, with clients of node:tls at the other end
 */
import { once } from 'node:events'
import { Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { temporaryDirectory, temporaryFiles } from '@posthorn/testing/temporary-directory'
import { issueCertificate, rootPem } from '@posthorn/testing/test-certificates'
import { PEER_STATUS, TlsContextList, TLSPROXY_FLAGS } from '@posthorn/wire/tlsproxy-protocol'
import t, { type Test } from 'tap'
import { openService } from './open-service.ts'
import { openSession, type ProxySession } from './test/proxy-session.ts'
import type { TlsproxyService } from './tlsproxy-service.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})
const directory = temporaryDirectory(t)
const file = temporaryFiles(t, directory)
const issued = issueCertificate({ names: ['mx.test'] })
const expired = issueCertificate({ names: ['mx.test'], validity: 'expired' })
const IDENTITY = file('own.pem', issued.key + issued.cert)
const EXPIRED = file('expired.pem', expired.key + expired.cert)
const MAIN = {
  smtpd_tls_security_level: 'may',
  smtpd_tls_chain_files: IDENTITY,
  smtpd_tls_CAfile: file('ca.pem', rootPem()),
  smtpd_tls_loglevel: '1',
  ipc_timeout: '5s',
}
/** tlsmgr(8) is not there. */
const NO_TLSMGR = ' private/tlsmgr: '

const services = new Map<string, Promise<TlsproxyService>>()

/** One for each main.cf: that there is no tlsmgr(8) takes a second to find out. */
async function serviceWith(main: Record<string, string>): Promise<TlsproxyService> {
  const key = JSON.stringify(main)
  const service = services.get(key) ?? openService(MainConfig.of(main))
  services.set(key, service)
  return service
}

/** Lines at the start, then those of a session with the flags of postscreen(8). */
async function open(
  t: Test,
  main: Record<string, string>,
  flags: number = TLSPROXY_FLAGS.server,
): Promise<ProxySession> {
  logged.lines.length = 0
  const service = await serviceWith(main)
  return openSession(t, service, {
    remoteEndpoint: '[192.0.2.1]:4711',
    flags,
    handshakeTimeoutSeconds: 1,
    sessionTimeoutSeconds: 5,
    serverId: 'smtpd',
  })
}

/** Hands a connection over, and gives the other end of it. */
async function handOver(t: Test, main: Record<string, string>, flags?: number) {
  const session = await open(t, main, flags)
  t.equal(session.status, 1)
  const [near, far] = socketPair()
  await session.plain.sendDescriptor(near)
  const socket = new Socket({ fd: far.release() })
  socket.on('error', () => undefined)
  t.teardown(() => socket.destroy())
  return { ...session, socket }
}

function tlsClient(t: Test, socket: Socket, options: object = {}): TLSSocket {
  const client = connect({ socket, rejectUnauthorized: false, ...options })
  client.on('error', () => undefined)
  t.teardown(() => client.destroy())
  return client
}

function lines(): string[] {
  return logged.lines
    .filter((line) => !line.includes(NO_TLSMGR) && !line.includes('tlsproxy_client'))
    .map((line) => line.replace(/(established from \S+): TLSv.*/, '$1 ...'))
    .map((line) => line.replace(/(TLS library problem: error:\w+:SSL routines:).*/, '$1...'))
}

t.test('a session from the request to its end', async (t) => {
  const { plain, done, socket } = await handOver(t, MAIN)
  const client = tlsClient(t, socket)
  await once(client, 'secureConnect')
  client.write('EHLO client.test\r\n')
  t.equal(await plain.readUntil('\r\n', 100), 'EHLO client.test')
  const heard = once(client, 'data')
  plain.write('250 mx.test\r\n')
  t.equal(String((await heard)[0]), '250 mx.test\r\n')
  client.end('QUIT\r\n')
  t.equal(await plain.readUntil('\r\n', 100), 'QUIT')
  t.equal(await plain.fill(), false)
  t.equal(await done, undefined)
  t.same(lines(), [
    'CONNECT from [192.0.2.1]:4711',
    'Anonymous TLS connection established from [192.0.2.1]:4711 ...',
    'DISCONNECT [192.0.2.1]:4711',
  ])
})

t.test('the end of postscreen(8) reaches a client that is slow to read', async (t) => {
  const { plain, done, socket } = await handOver(t, MAIN)
  const client = tlsClient(t, socket)
  await once(client, 'secureConnect')
  client.pause()
  const words = '421 4.3.2 come back later\r\n'.repeat(20_000)
  plain.write(words)
  const ended = plain.end()
  let heard = 0
  client.on('data', (octets: Buffer) => (heard += octets.length))
  const hasEnded = once(client, 'end')
  client.resume()
  await Promise.all([ended, hasEnded, done])
  t.equal(heard, words.length)
})

t.test('who asks for it is told about the client', async (t) => {
  const { server, sendContext } = TLSPROXY_FLAGS
  const main = { ...MAIN, smtpd_tls_ask_ccert: 'yes' }
  const { channel, done, socket } = await handOver(t, main, server | sendContext)
  const { key, cert } = issueCertificate({ names: ['client.test'], usage: 'client' })
  tlsClient(t, socket, { key, cert })
  t.match(TlsContextList.parse(await channel.receiveReply()), {
    peerName: 'client.test',
    peerStatus: PEER_STATUS.certificate | PEER_STATUS.trusted,
    protocol: 'TLSv1.3',
    peer: '[192.0.2.1]:4711',
  })
  channel.close()
  await done
})

t.test('a handshake that comes to nothing', async (t) => {
  for (const [name, say, complaints] of [
    ['SMTP', (socket) => socket.end('EHLO there\r\n'), ['0A00010B:SSL routines:...']],
    ['a client that leaves', (socket) => socket.end(), []],
    ['a silent client', () => undefined, 'timeout'],
  ] as [string, (socket: Socket) => void, string[] | 'timeout'][]) {
    const { plain, done, socket } = await handOver(t, MAIN)
    say(socket)
    t.equal(await plain.fill(), false, `${name}: postscreen(8) hears no more`)
    t.equal(await done, undefined)
    t.same(
      lines(),
      [
        'CONNECT from [192.0.2.1]:4711',
        ...(complaints === 'timeout'
          ? ['warning: ciphertext read/write timeout for [192.0.2.1]:4711']
          : complaints.map((text) => `warning: TLS library problem: error:${text}`)),
        'TLS handshake failed for service=smtpd peer=[192.0.2.1]:4711',
        'DISCONNECT [192.0.2.1]:4711',
      ],
      name,
    )
  }
})

t.test('no engine: status 0, and the log has said why at the start', async (t) => {
  const table: [Record<string, string>, string[]][] = [
    [
      { smtpd_tls_security_level: 'none' },
      ['warning: TLS server role is disabled with tlsproxy_tls_security_level or tlsproxy_use_tls'],
    ],
    [{ smtpd_tls_chain_files: '' }, ["warning: No server certs available. TLS can't be enabled"]],
    [
      { smtpd_tls_chain_files: '', smtpd_tls_cert_file: 'none', smtpd_tls_ask_ccert: 'yes' },
      [
        'warning: Need a server cert to request client certs',
        "warning: No server certs available. TLS can't be enabled",
      ],
    ],
    [
      { smtpd_tls_chain_files: directory },
      [
        `warning: No PEM data in ${directory}`,
        `warning: error loading private keys and certificates from: ${directory}: disabling TLS support`,
      ],
    ],
  ]
  for (const [changes, complaints] of table) {
    const { status, plain, done } = await open(t, { ...MAIN, ...changes })
    t.equal(status, 0)
    plain.close()
    await done
    t.same(lines(), [
      ...complaints,
      'CONNECT from [192.0.2.1]:4711',
      'TLS handshake failed for service=smtpd peer=[192.0.2.1]:4711',
      'DISCONNECT [192.0.2.1]:4711',
    ])
  }
})

t.test('a certificate of ours that has expired is for the client to judge', async (t) => {
  const { socket } = await handOver(t, { ...MAIN, smtpd_tls_chain_files: EXPIRED })
  const client = tlsClient(t, socket, { ca: rootPem() })
  await once(client, 'secureConnect')
  t.equal(String(client.authorizationError), 'CERT_HAS_EXPIRED')
})

t.test('the client role says so when its own settings are of no use', async (t) => {
  const client = { smtp_tls_security_level: 'may', smtp_tls_cert_file: '/nonexistent' }
  await open(t, { ...MAIN, ...client })
  const warnings = logged.lines.filter((line) => line.startsWith('warning: '))
  t.same(
    warnings.filter((line) => !line.includes(NO_TLSMGR)),
    [
      'warning: error opening chain file: /nonexistent: No such file or directory',
      'warning: TLS client initialization failed',
    ],
  )
})
