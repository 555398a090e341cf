/** proxy-header.test - what a load balancer may say about the client */
import t from 'tap'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { ProxyHeaderError, readProxyHeader } from './proxy-header.ts'

const v2 = (command: number, family: number, rest: string): string =>
  `\r\n\r\n\0\r\nQUIT\n${String.fromCharCode(0x20 | command, family, rest.length >> 8, rest.length & 255)}${rest}`
const inet = '\xc0\0\x02\x42\xc0\0\x02\x19\x12\x34\0\x19'
const inet6 = `${'\x20\x01\x0d\xb8'.padEnd(15, '\0')}\x01${'\x20\x01\x0d\xb8'.padEnd(15, '\0')}\x02\0\x01\0\x02`

/** In pieces of every size the outcome is the same. */
async function read(octets: string, size: number, hasIpv6 = true): Promise<string> {
  const [ours, theirs] = socketPair()
  const [near, far] = [new ByteStream(ours), new ByteStream(theirs)]
  try {
    const result = readProxyHeader(near, { timeoutMs: 5000, hasIpv6 }).catch((error: unknown) => {
      if (error instanceof ProxyHeaderError) return error.message
      throw error
    })
    for (let at = 0; at < octets.length; at += size) {
      far.write(octets.slice(at, at + size))
      await far.flush()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await far.end()
    const found = await result
    const rest = near.buffered
    return `${typeof found === 'string' ? found : JSON.stringify(found)}${rest === '' ? '' : ` +${rest}`}`
  } finally {
    near.close()
  }
}

const CASES: readonly (readonly [string, string])[] = [
  [
    'PROXY TCP4 192.0.2.66 192.0.2.25 4660 25\r\n',
    '{"client":{"address":"192.0.2.66","port":4660},"server":{"address":"192.0.2.25","port":25}}',
  ],
  [
    'PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n',
    '{"client":{"address":"2001:db8::1","port":1},"server":{"address":"2001:db8::2","port":2}}',
  ],
  [
    v2(1, 0x11, inet),
    '{"client":{"address":"192.0.2.66","port":4660},"server":{"address":"192.0.2.25","port":25}}',
  ],
  [
    v2(1, 0x21, `${inet6}and more`),
    '{"client":{"address":"2001:db8::1","port":1},"server":{"address":"2001:db8::2","port":2}}',
  ],
  [v2(0, 0, ''), 'local'],
  [v2(5, 0x11, inet), 'bad command in proxy header'],
  [v2(1, 0x12, inet), 'unsupported network protocol'],
  [v2(1, 0x11, 'abc'), 'short address field'],
  ['PROXY UNKNOWN\r\n', 'bad or missing protocol type: PROXY UNKNOWN\\r\\n'],
  ['PROXY TCP4\r\n', 'bad or missing client address: PROXY TCP4\\r\\n'],
  ['PROXY TCP4 192.0.2.1 x 1 2\r\n', 'bad or missing server address'],
  ['PROXY TCP4 192.0.2.1 192.0.2.2 x 2\r\n', 'bad or missing client port'],
  ['PROXY TCP4 192.0.2.1 192.0.2.2 1 70000\r\n', 'bad or missing server port'],
  ['proxy tcp4 192.0.2.1 192.0.2.2 1 2\r\n', 'unrecognized protocol header'],
  ['EHLO c\r\n', 'short protocol header: EHLO c\\r\\n'],
  ['', 'EOF'],
  ['PROX', 'short protocol header'],
]

t.test('readProxyHeader() reads both versions, however they arrive', async (t) => {
  for (const [octets, wanted] of CASES) {
    for (const size of [1, 7, 1000]) {
      t.ok((await read(octets, size)).startsWith(wanted), `${wanted} in pieces of ${size}`)
    }
  }
  t.match(await read(`${v2(0, 0, '')}EHLO x\r\n`, 1000), 'local +EHLO x\r\n', 'takes no octet more')
  t.match(await read('PROXY TCP6 ::1 ::1 1 2\r\n', 9, false), 'bad or missing protocol type')
  t.match(await read(v2(1, 0x21, inet6), 9, false), 'MTA IPv6 support is disabled')
})

t.test('readProxyHeader() waits for a limited time', async (t) => {
  const [ours, theirs] = socketPair()
  const near = new ByteStream(ours)
  t.teardown(() => {
    near.close()
    theirs.close()
  })
  await t.rejects(readProxyHeader(near, { timeoutMs: 1, hasIpv6: true }), {
    message: 'timeout error',
  })
})
