import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { readNetworkSettings, resolveEndpoint } from './inet-endpoint.ts'

async function resolve(service: string, settings: Record<string, string> = {}): Promise<string> {
  const network = readNetworkSettings(MainConfig.of(settings))
  try {
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

t.test('resolveEndpoint() refuses what cannot be listened on', async (t) => {
  t.match(await resolve('[127.0.0.1]'), 'bad hostname or network address: [127.0.0.1]')
  t.match(await resolve('127.0.0.1:'), 'bad hostname or network address')
  t.match(await resolve('no-such-port'), 'bad hostname or network address: no-such-port')
  t.match(await resolve('70000'), 'bad hostname')
  t.match(
    await resolve('[::1]:25', { inet_protocols: 'ipv4' }),
    'no valid IP address found: [::1]:25',
  )
  t.match(await resolve('25', { inet_interfaces: '' }), 'no valid IP address found')
})
