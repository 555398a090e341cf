/**
 * server-handshake.test - handshakes that come to nothing, and the lines about them
 */
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { connect, type ConnectionOptions } from 'node:tls'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { HandshakeError, type TlsServerInit, type TlsServerStart } from './server-engine.ts'
import {
  accept,
  CLIENT,
  ends,
  logged,
  openEngine,
  serverStart,
} from './test/accepted-connection.ts'
import { good, inter } from './test/judged-connection.ts'

const EC = join(temporaryDirectory(t), 'ec.pem')
writeFileSync(EC, good.keyPem + good.pem + inter.pem)

interface Wanted {
  readonly init?: Partial<TlsServerInit>
  readonly start?: Partial<TlsServerStart>
}

/** The lines of one that fails: `say` is the client. */
async function failure(
  t: Test,
  say: (socket: Socket) => void,
  { init, start }: Wanted = {},
  isProxy = false,
): Promise<string[]> {
  const wanted = { init: { chainFiles: EC, ...init }, options: { isProxy } }
  const engine = await openEngine(wanted)
  const { stream, socket } = ends(t)
  say(socket)
  const found = await logged(async () => {
    await t.rejects(async () => engine?.accept(stream, serverStart(start)), HandshakeError)
  })
  t.equal(stream.isOpen, false, 'the stream is closed')
  return found.map((line) => line.replace(/(error:[0-9A-F]+:[^:]*:).*/, '$1'))
}

const tlsClient =
  (options: ConnectionOptions) =>
  (socket: Duplex): void => {
    connect({ socket, rejectUnauthorized: false, ...options }).on('error', () => undefined)
  }

/** A ClientHello, and no more. */
function sayHello(t: Test, socket: Socket): void {
  const pipe = new Duplex({
    read: () => undefined,
    write: (octets: Buffer, _encoding, done) => {
      socket.write(octets)
      done()
    },
  })
  t.teardown(() => pipe.destroy())
  tlsClient({ maxVersion: 'TLSv1.2' })(pipe)
}

t.test('accept() says why there was no handshake, as Postfix does', async (t) => {
  const refused = (reason: string, ...problems: string[]): string[] => [
    `SSL_accept error from ${CLIENT}: ${reason}`,
    ...problems.map((number) => `warning: TLS library problem: error:${number}:SSL routines:`),
  ]
  const hex = (octets: string) => (socket: Socket) => {
    socket.end(Buffer.from(octets, 'hex'))
  }
  const table: [string, (socket: Socket) => void, string[]][] = [
    ['SMTP', (socket) => socket.end('EHLO there\r\n'), refused('-1', '0A00010B')],
    ['an end', (socket) => socket.end(), refused('lost connection')],
    ['the beginning of a record', hex('16030100'), refused('lost connection')],
    ['half a ClientHello', hex('1603010030010000'), refused('lost connection')],
    ['a broken ClientHello', hex('160301000501000001030303'), refused('-1', '0A0000A0')],
    [
      'no cipher in common',
      tlsClient({ maxVersion: 'TLSv1.2', ciphers: 'eNULL:@SECLEVEL=0' }),
      refused('-1', '0A0000C1'),
    ],
    [
      'an end after our words',
      (socket) => {
        sayHello(t, socket)
        socket.once('data', () => socket.end())
      },
      refused('lost connection'),
    ],
  ]
  for (const [name, say, expected] of table) t.same(await failure(t, say), expected, name)
  t.same(
    await failure(t, (socket) => socket.end('EHLO there\r\n'), {}, true),
    refused('-1', '0A00010B').slice(1),
    'tlsproxy(8) has its own words',
  )
})

t.test('accept() waits no longer than it may, whatever has come', async (t) => {
  const slow = { start: { timeoutSeconds: 0.1 } }
  const timedOut = [`SSL_accept error from ${CLIENT}: Connection timed out`]
  t.same(await failure(t, () => undefined, slow), timedOut, 'nothing')
  t.same(await failure(t, (socket) => socket.write('\x16\x03\x01'), slow), timedOut, 'a little')
  const mute = (socket: Socket): void => {
    sayHello(t, socket)
  }
  t.same(await failure(t, mute, slow), timedOut, 'a ClientHello')
})

t.test('accept() finds settings of no use before it reads', async (t) => {
  t.same(await failure(t, () => undefined, { start: { cipherGrade: 'bogus' } }), [
    `warning: ${CLIENT}: invalid cipher grade: "bogus"`,
  ])
  const exclusions = { start: { cipherGrade: 'null', cipherExclusions: 'eNULL' } }
  t.match(await failure(t, () => undefined, exclusions), [
    `warning: ${CLIENT}: error setting cipher grade: "null"`,
    /^warning: TLS library problem: error:0A0000B9:/,
  ])
})

t.test('accept() refuses versions that it does not speak', async (t) => {
  const protocols = { init: { protocols: '>=TLSv1.3' } }
  t.same(await failure(t, tlsClient({ maxVersion: 'TLSv1.2' }), protocols), [
    `SSL_accept error from ${CLIENT}: -1`,
    'warning: TLS library problem: error:0A000102:SSL routines:',
  ])
})

t.test('accept() survives any ClientHello, and a stream that is closed meanwhile', async (t) => {
  const engine = await openEngine({ init: { chainFiles: EC, logLevel: '0' } })
  if (engine === undefined) throw new Error('no engine')
  const hello = await new Promise<Buffer>((resolve) => {
    const pipe = new Duplex({
      read: () => undefined,
      write: (octets: Buffer, _encoding, done) => {
        resolve(octets)
        done()
      },
    })
    tlsClient({ servername: 'mx.test' })(pipe)
    t.teardown(() => pipe.destroy())
  })
  const mutation = fc.tuple(fc.nat(hello.length - 1), fc.nat(20), fc.uint8Array({ maxLength: 4 }))
  await logged(async () => {
    await fc.assert(
      fc.asyncProperty(mutation, async ([at, removed, inserted]) => {
        const { stream, socket } = ends(t)
        socket.end(Buffer.concat([hello.subarray(0, at), inserted, hello.subarray(at + removed)]))
        const outcome = await engine.accept(stream, serverStart()).catch((error: unknown) => error)
        socket.destroy()
        return outcome instanceof HandshakeError && !stream.isOpen
      }),
      { numRuns: 150 },
    )
    const { stream } = ends(t)
    const accepting = engine.accept(stream, serverStart())
    setImmediate(() => {
      stream.close()
    })
    await t.rejects(accepting, HandshakeError)
  })
  t.match((await accept(t, engine)).context, { protocol: 'TLSv1.3' }, 'the next one is served')
})
