import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { readNetworkSettings, resolveEndpoint } from './inet-endpoint.ts'

async function resolve(service: string, settings: Record<string, string> = {}): Promise<string> {
  try {
    const network = await readNetworkSettings(MainConfig.of(settings))
    const { name, addresses, isLoopbackOnly } = await resolveEndpoint(service, network)
    const list = addresses.map(({ address, port }) => `${address} ${port}`).join(', ')
    return `${name}: ${list}${isLoopbackOnly ? ' (loopback)' : ''}`
  } catch (error) {
    return String(error)
  }
}

t.test('resolveEndpoint() with a port alone', async (t) => {
  t.equal(await resolve('25'), '25: 0.0.0.0 25, :: 25')
  t.equal(await resolve('smtp'), '25: 0.0.0.0 25, :: 25')
  t.equal(await resolve('submissions'), '465: 0.0.0.0 465, :: 465')
  t.equal(await resolve('25', { inet_protocols: 'ipv4' }), '25: 0.0.0.0 25')
  t.equal(
    await resolve('25', { inet_interfaces: '127.0.0.1, 192.0.2.1 [::1]' }),
    '25: 127.0.0.1 25, 192.0.2.1 25, ::1 25',
  )
  t.equal(
    await resolve('25', { inet_interfaces: 'loopback-only', inet_protocols: 'ipv4' }),
    '25: 127.0.0.1 25 (loopback)',
  )
})

t.test('resolveEndpoint() with an empty host, and with a name of known_tcp_ports', async (t) => {
  t.equal(await resolve(':25', { inet_protocols: 'ipv4' }), '25: 0.0.0.0 25')
  t.equal(
    await resolve('127.0.0.1:mine', { known_tcp_ports: 'other=mine=10025' }),
    '[127.0.0.1]:10025: 127.0.0.1 10025 (loopback)',
  )
})

t.test('resolveEndpoint() with a host', async (t) => {
  t.equal(await resolve('127.0.0.1:10025'), '[127.0.0.1]:10025: 127.0.0.1 10025 (loopback)')
  t.equal(await resolve('[::1]:10025'), '[::1]:10025: ::1 10025 (loopback)')
  t.equal(await resolve('::1:10025'), '[::1]:10025: ::1 10025 (loopback)')
  t.equal(await resolve('192.0.2.1:smtp'), '[192.0.2.1]:25: 192.0.2.1 25')
  t.equal(
    await resolve('localhost:25', { inet_protocols: 'ipv4' }),
    '[127.0.0.1]:25: 127.0.0.1 25 (loopback)',
  )
})

t.test(
  'resolveEndpoint() refuses what cannot be listened on, in the words of Postfix',
  async (t) => {
    const ipv4 = { inet_protocols: 'ipv4' }
    const wrong: [string, Record<string, string>, string][] = [
      ['[127.0.0.1', {}, 'missing "]" in "[127.0.0.1"'],
      ['[127.0.0.1]', {}, 'missing service information in "[127.0.0.1]"'],
      ['[127.0.0.1]25', {}, 'garbage after "]" in "[127.0.0.1]25"'],
      ['127.0.0.1:', {}, 'missing service information in "127.0.0.1:"'],
      [':', {}, 'missing service information in ":"'],
      ['[]:25', {}, 'valid hostname or network address required in "[]:25"'],
      ['127.0.0.300:25', {}, 'valid hostname or network address required in "127.0.0.300:25"'],
      ['127.1:25', {}, 'valid hostname or network address required in "127.1:25"'],
      ['a..b:25', {}, 'valid hostname or network address required in "a..b:25"'],
      ['[::1%lo]:25', {}, 'valid hostname or network address required in "[::1%lo]:25"'],
      ['[::1]:25', ipv4, 'bad hostname or network address: [::1]:25'],
      ['no.such.invalid:x', {}, 'bad hostname or network address: no.such.invalid:x'],
      ['127.0.0.1:no', {}, '127.0.0.1:no: Servname not supported for ai_socktype'],
      ['no-such', ipv4, '0.0.0.0:no-such: Servname not supported for ai_socktype'],
      ['25', { inet_interfaces: '' }, 'no valid IP address found: 25'],
      [
        '25',
        { inet_interfaces: 'no.such.invalid' },
        'config variable inet_interfaces: host not found: no.such.invalid',
      ],
      [
        '25',
        { inet_interfaces: 'all, 127.0.0.1' },
        'config variable inet_interfaces: host not found: all',
      ],
      [
        '25',
        { inet_interfaces: '127.0.0.1', inet_protocols: 'ipv6' },
        'config variable inet_interfaces: host not found: 127.0.0.1',
      ],
      // Postfix takes the port modulo 65536, and 0 for any free one
      ['70000', {}, 'no such TCP port: 70000'],
      ['127.0.0.1:0', {}, 'no such TCP port: 127.0.0.1:0'],
    ]
    for (const [service, settings, text] of wrong) {
      t.equal((await resolve(service, settings)).replace(/^\w+: /, ''), text)
    }
  },
)
