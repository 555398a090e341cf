import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { connect, type ConnectionOptions } from 'node:tls'
import fc from 'fast-check'
import t from 'tap'
import { parseClientHello } from './client-hello.ts'

/** What node:tls says first. */
async function helloOf(options: ConnectionOptions): Promise<string> {
  let socket: Duplex | undefined
  const octets = new Promise<Buffer>((resolve) => {
    socket = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        resolve(chunk)
        done()
      },
    })
  })
  const client = connect({ socket, ...options } as ConnectionOptions)
  client.on('error', () => undefined)
  const hello = await octets
  client.destroy()
  await once(client, 'close')
  return hello.toString('latin1')
}

const record = (type: number, content: string): string =>
  String.fromCharCode(type, 3, 1, content.length >> 8, content.length & 255) + content

t.test('parseClientHello() finds what a server must know', async (t) => {
  const named = parseClientHello(await helloOf({ servername: 'mx.test' }))
  t.match(named, { serverName: 'mx.test', identity: '', ticket: '', takesTickets: true })
  t.match(named, { isModern: true })
  const old = parseClientHello(await helloOf({ maxVersion: 'TLSv1.2' }))
  t.match(old, { serverName: '', sessionId: '', isModern: false })
})

t.test('parseClientHello() wants all of it, in however many records', async (t) => {
  const octets = await helloOf({ servername: 'mx.test' })
  const whole = parseClientHello(octets)
  for (const length of [0, 1, 4, 5, 6, 9, 100, octets.length - 1]) {
    t.equal(parseClientHello(octets.slice(0, length)), 'more', `${length} octets`)
  }
  t.same(parseClientHello(`${octets}and more`), whole)
  const message = octets.slice(5)
  const cut = (at: number): string =>
    record(22, message.slice(0, at)) + record(22, message.slice(at))
  for (const at of [1, 3, 4, 50, message.length - 1]) {
    t.same(parseClientHello(cut(at)), whole, `cut at ${at}`)
    t.equal(parseClientHello(cut(at).slice(0, -1)), 'more')
  }
})

t.test('parseClientHello() bears records that hold one octet each, but not many', async (t) => {
  const octets = await helloOf({ servername: 'mx.test' })
  const single = (message: string): string => message.replace(/./gs, (one) => record(22, one))
  t.same(parseClientHello(single(octets.slice(5))), parseClientHello(octets))
  const long = `\x01\x00\xff\x00${'x'.repeat(0xff00)}`
  t.equal(parseClientHello(single(long.slice(0, 10_000))), 'more')
  t.equal(parseClientHello(single(long.slice(0, 12_000))), 'none', 'more than a message may have')
})

t.test('parseClientHello() passes over what is none', async (t) => {
  const octets = await helloOf({})
  const message = octets.slice(5)
  const table: [string, string][] = [
    ['SMTP', 'EHLO there\r\n'],
    ['another record', record(21, '\x02\x28')],
    ['another version', '\x16\x02\x00\x00\x01\x01'],
    ['another message', record(22, `\x02${message.slice(1)}`)],
    ['an empty record', record(22, '')],
    ['an empty message', record(22, '\x01\x00\x00\x00')],
    ['too long a message', record(22, '\x01\xff\xff\xff')],
    ['cut off inside', record(22, '\x01\x00\x00\x05\x03\x03\x00\x00\x00')],
    [
      'an extension that is too long',
      record(
        22,
        `\x01\x00\x00\x30\x03\x03${'r'.repeat(32)}\x00\x00\x02\x13\x01\x01\x00\x00\x05\x00\x00\x00\xff\x00`,
      ),
    ],
  ]
  for (const [name, input] of table) t.equal(parseClientHello(input), 'none', name)
  const bare = `\x03\x03${'r'.repeat(32)}\x00\x00\x02\x13\x01\x01\x00`
  t.match(
    parseClientHello(record(22, `\x01\x00\x00\x29${bare}`)),
    { serverName: '' },
    'no extensions',
  )
})

t.test('parseClientHello() says something about anything', async () => {
  const octets = await helloOf({ servername: 'mx.test' })
  const mutation = fc.tuple(fc.nat(octets.length - 1), fc.nat(30), fc.string({ maxLength: 4 }))
  fc.assert(
    fc.property(mutation, ([at, removed, inserted]) => {
      const input = octets.slice(0, at) + inserted + octets.slice(at + removed)
      const hello = parseClientHello(input)
      return hello === 'more' || hello === 'none' || typeof hello.serverName === 'string'
    }),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      const hello = parseClientHello(Buffer.from(noise).toString('latin1'))
      return typeof hello === 'string' || hello.serverName.length < 200
    }),
  )
})
