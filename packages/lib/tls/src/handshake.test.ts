import { readdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { captureLog } from '@posthorn/log/capture-log'
import { waitFor } from '@posthorn/testing/wait-for'
import {
  TLS_LEVELS,
  type TlsClientParams,
  type TlsClientStart,
} from '@posthorn/wire/tlsproxy-protocol'
import { HandshakeError, openClientEngine } from './client-engine.ts'
import { makeCertificate } from './test/certificate-maker.ts'
import { clientInit, clientParams, clientStart, PEER } from './test/settings.ts'
import { serve, type ServerBehaviour } from './test/tls-server.ts'

const certificate = makeCertificate({ subject: { CN: 'mx.good.test' } })
const context = { key: certificate.keyPem, cert: certificate.pem }

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
/** When the ClientHello has come. */
const then = (answer: (socket: Socket) => void) => (socket: Socket) => {
  socket.once('data', () => {
    answer(socket)
  })
}

interface Setting {
  params?: Partial<TlsClientParams>
  start?: Partial<TlsClientStart>
}

/** The lines of a handshake that fails, without what follows the words of OpenSSL: it differs with its version. */
async function failure(
  t: Test,
  behaviour: ServerBehaviour,
  { params, start }: Setting = {},
): Promise<string[]> {
  const server = await serve(t, behaviour)
  const log = captureLog()
  try {
    const engine = await openClientEngine(clientParams(params), clientInit())
    const stream = await server.connect()
    await t.rejects(async () => engine?.start(stream, clientStart(start)), HandshakeError)
    t.equal(stream.isOpen, false, 'the stream is closed')
    return log.lines.map((line) => line.replace(/(error:[0-9A-F]+:[^:]*:).*/, '$1'))
  } finally {
    log.restore()
  }
}

const failed = (reason: string): string => `SSL_connect error to ${PEER}: ${reason}`
const library = (text: string): string => `warning: TLS library problem: error:${text}:`

t.test('start() says why there was no handshake, as Postfix does', async (t) => {
  const alert = (octets: string) => ({ plain: then((socket) => socket.end(hex(octets))) })
  const table: [string, ServerBehaviour, string[]][] = [
    ['closed after ClientHello', { plain: then((s) => s.end()) }, [failed('lost connection')]],
    ['reset', { plain: then((s) => s.resetAndDestroy()) }, [failed('Connection reset by peer')]],
    [
      'in the middle of a record',
      { plain: then((s) => s.end(hex('16030300'))) },
      [failed('lost connection')],
    ],
    [
      'another protocol',
      { plain: then((s) => s.write('500 this is not TLS at all\r\n')) },
      [failed('-1'), library('0A00010B:SSL routines')],
    ],
    ['alert 40', alert('15030300020228'), [failed('-1'), library('0A000410:SSL routines')]],
    ['alert 70', alert('15030300020246'), [failed('-1'), library('0A00042E:SSL routines')]],
    ['alert 80', alert('15030300020250'), [failed('-1'), library('0A000438:SSL routines')]],
    ['alert 112', alert('15030300020270'), [failed('-1'), library('0A000458:SSL routines')]],
  ]
  for (const [name, behaviour, lines] of table) t.same(await failure(t, behaviour), lines, name)
})

t.test('start() gives up after the time that it has', async (t) => {
  const lines = await failure(t, { plain: () => undefined }, { start: { timeoutSeconds: 1 } })
  t.same(lines, [failed('Connection timed out')])
})

t.test('start() tells settings that leave nothing', async (t) => {
  const table: [string, Setting, string[]][] = [
    [
      'no such protocol',
      { start: { protocols: 'foo' } },
      [`warning: ${PEER}: Invalid TLS protocol list "foo": aborting TLS session`],
    ],
    [
      'no protocol left',
      { start: { protocols: '!TLSv1, !TLSv1.1, !TLSv1.2, !TLSv1.3' } },
      [failed('-1'), library('0A0000BF:SSL routines')],
    ],
    [
      'no such grade',
      { start: { cipherGrade: 'bogus' } },
      [`warning: ${PEER}: invalid cipher grade: "bogus"`],
    ],
    [
      'no cipher left',
      { start: { cipherExclusions: 'ALL' } },
      [`warning: ${PEER}: error setting cipher grade: "medium"`, library('0A0000B9:SSL routines')],
    ],
    [
      'null ciphers',
      { start: { cipherGrade: 'null', cipherExclusions: 'eNULL' } },
      [`warning: ${PEER}: error setting cipher grade: "null"`, library('0A0000B9:SSL routines')],
    ],
    [
      'a server that has nothing in common',
      { start: { level: TLS_LEVELS.encrypt, protocols: '<=TLSv1.2' } },
      [failed('-1'), library('0A00042E:SSL routines')],
    ],
  ]
  for (const [name, setting, lines] of table) {
    const behaviour = { context: { ...context, minVersion: 'TLSv1.3' as const } }
    t.same(await failure(t, behaviour, setting), lines, name)
  }
})

t.test('start() goes on with a bound that is unknown', async (t) => {
  const server = await serve(t, { context })
  const log = captureLog()
  t.teardown(log.restore)
  const engine = await openClientEngine(clientParams(), clientInit({ logLevel: '0' }))
  const stream = await server.connect()
  await engine?.start(stream, clientStart({ protocols: '>=0305' }))
  stream.close()
  t.same(log.lines, [`warning: ${PEER}: error setting minimum TLS version to: 0x0305`])
})

t.test('start() leaves no descriptor behind, whatever happens', async (t) => {
  const count = (): number => readdirSync('/proc/self/fd').length
  const server = await serve(t, { plain: then((socket) => socket.destroy()) })
  const log = captureLog()
  t.teardown(log.restore)
  const engine = await openClientEngine(clientParams(), clientInit())
  const before = count()
  for (let round = 0; round < 10; round++) {
    const stream = await server.connect()
    await t.rejects(async () => engine?.start(stream, clientStart()), HandshakeError)
  }
  t.ok(await waitFor(() => count() <= before, 'the descriptors to be closed'))
})

t.test('start() survives whatever a server says', async (t) => {
  let answer = Buffer.of()
  const server = await serve(t, { plain: then((socket) => socket.end(answer)) })
  const log = captureLog()
  t.teardown(log.restore)
  const engine = await openClientEngine(clientParams(), clientInit())
  const noise = fc.uint8Array({ maxLength: 200 })
  // the beginning of a record: handshake, alert, change of cipher, data
  const record = fc
    .tuple(fc.constantFrom(0x14, 0x15, 0x16, 0x17), noise)
    .map(([type, body]) => Buffer.concat([Buffer.from([type, 3, 3, 0, body.length]), body]))
  const hello = noise.map((body) =>
    Buffer.concat([hex('16030300'), Buffer.from([body.length, 2, 0, 0, body.length]), body]),
  )
  await fc.assert(
    fc.asyncProperty(fc.oneof(noise, record, hello), async (octets) => {
      answer = Buffer.from(octets)
      const stream = await server.connect()
      const error = await engine?.start(stream, clientStart()).catch((fault: unknown) => fault)
      return error instanceof HandshakeError && !stream.isOpen
    }),
    { numRuns: 200 },
  )
  t.ok(
    log.lines.every((line) => /^(SSL_connect error to|warning: TLS library problem: )/.test(line)),
  )
})

t.test('start() says nothing when a proxy tells the tale', async (t) => {
  const server = await serve(t, { plain: then((socket) => socket.end()) })
  const log = captureLog()
  t.teardown(log.restore)
  const engine = await openClientEngine(clientParams(), clientInit(), { isProxy: true })
  const stream = await server.connect()
  await t.rejects(async () => engine?.start(stream, clientStart()), HandshakeError)
  t.same(log.lines, [])
})

t.test('start() forgets what came in plaintext', async (t) => {
  const server = await serve(t, {
    context,
    greeting: '220 go\r\n250 injected\r\n',
    secured: (socket) => socket.write('220 secret\r\n'),
  })
  const log = captureLog()
  t.teardown(log.restore)
  const engine = await openClientEngine(clientParams(), clientInit({ logLevel: '0' }))
  const stream = await server.connect()
  t.equal(await stream.readUntil('\n', 100), '220 go\r')
  t.equal(stream.buffered, '250 injected\r\n')
  await engine?.start(stream, clientStart())
  t.equal(await stream.readUntil('\n', 100), '220 secret\r')
  stream.close()
})
