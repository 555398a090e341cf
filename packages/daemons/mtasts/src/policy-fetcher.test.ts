/**
 * policy-fetcher.test - policy hosts as they should be, and as they should not
 */
import { createSecureContext } from 'node:tls'
import { Resolver } from '@posthorn/dns/resolver'
import { freePort } from '@posthorn/testing/free-port'
import { rootPem } from '@posthorn/testing/test-certificates'
import t, { type Test } from 'tap'
import { PolicyError } from './mtasts-error.ts'
import { makeFetcher } from './policy-fetcher.ts'
import { PolicySite, policyText } from './test/policy-site.ts'

const domain = 'example.test'
const text = policyText('enforce', ['mx.example.test'])

async function world(t: Test, options: { timeoutMs?: number; port?: number } = {}) {
  const site = await PolicySite.start(t)
  site.publish(domain, 'id1', 'enforce', ['mx.example.test'])
  const fetch = makeFetcher({
    resolver: new Resolver({ servers: [site.dns.server], timeoutMs: 1000, attempts: 1 }),
    families: new Set([4]),
    context: createSecureContext({ ca: rootPem(), minVersion: 'TLSv1.2' }),
    port: options.port ?? site.port,
    timeoutMs: options.timeoutMs ?? 10_000,
  })
  const fault = async (): Promise<string> =>
    fetch(domain).then(
      () => 'no fault',
      (error: unknown) => {
        if (!(error instanceof PolicyError)) throw error
        return `${error.failure}: ${error.message.replace(`mta-sts.${domain}: `, '')}`
      },
    )
  return { site, fetch, fault }
}

t.test('one GET of one path of the policy host', async (t) => {
  const { site, fetch } = await world(t)
  t.equal(await fetch(domain), text)
  t.same(site.requests, ['GET mta-sts.example.test /.well-known/mta-sts.txt'])
  site.hosts.set(domain, { body: text, headers: { 'Content-Type': 'Text/Plain' } })
  t.equal(await fetch(domain), text)
  site.hosts.set(domain, { body: text, certificate: { names: ['*.example.test'] } })
  t.equal(await fetch(domain), text)
})

t.test('replies that are no policy', async (t) => {
  const { site, fault } = await world(t)
  const plain = { 'content-type': 'text/plain' }
  const large = 'x'.repeat(65_537)
  for (const [host, said] of [
    [{ status: 404, body: text }, 'HTTP status 404, not 200'],
    [
      { status: 301, headers: { ...plain, location: '/.well-known/mta-sts.txt' } },
      'HTTP status 301, not 200',
    ],
    [{ status: 204 }, 'HTTP status 204, not 200'],
    [{ body: text, headers: { 'content-type': 'text/html' } }, 'the media type is not text/plain'],
    [{ body: text, headers: {} }, 'the media type is not text/plain'],
    [{ body: large }, 'the policy has more than 65536 octets'],
    [{ headers: { ...plain, 'x-large': 'x'.repeat(20_000) } }, 'HPE_HEADER_OVERFLOW'],
    [
      {
        answer: (response) => {
          response.destroy()
        },
      },
      'Connection reset by peer',
    ],
    [
      {
        // the end of the text never comes
        answer: (response) => {
          response.writeHead(200, { ...plain, 'content-length': '1000' })
          response.write(text, () => response.destroy())
        },
      },
      'Connection reset by peer',
    ],
  ] as const satisfies readonly (readonly [Parameters<typeof site.hosts.set>[1], string])[]) {
    site.requests.length = 0
    site.hosts.set(domain, host)
    t.equal(
      (await fault()).replace('ECONNRESET', 'Connection reset by peer'),
      `sts-policy-fetch-error: ${said}`,
    )
    t.equal(site.requests.length, 1, 'asked once, nothing followed')
  }
  // so much is allowed
  site.hosts.set(domain, { body: 'x'.repeat(65_536) })
  t.equal(await fault(), 'no fault')
})

t.test('certificates that do not count: no request is made', async (t) => {
  const { site, fault } = await world(t)
  const names = ['mta-sts.example.test']
  for (const [certificate, said] of [
    [{ names: ['example.test'] }, 'the certificate is for another name'],
    [{ names: ['mta*.example.test'] }, 'the certificate is for another name'],
    // RFC 8461 3.3 wants a DNS-ID
    [{ names, hasCommonNameOnly: true }, 'the certificate is for another name'],
    [{ names, validity: 'expired' }, 'cert has expired'],
    [{ names, validity: 'future' }, 'cert not yet valid'],
    [{ names, issuer: 'self' }, 'depth zero self signed cert'],
    [{ names, issuer: 'other' }, 'unable to verify leaf signature'],
  ] as const) {
    site.hosts.set(domain, { body: text, certificate })
    const found = (await fault()).replace('the certificate cannot be verified: ', '')
    t.equal(found, `sts-webpki-invalid: ${said}`)
  }
  t.same(site.requests, [])
})

t.test('hosts that cannot be reached', async (t) => {
  const { site, fault } = await world(t, { port: await freePort() })
  t.equal(await fault(), 'sts-policy-fetch-error: Connection refused')
  site.dns.set('mta-sts.example.test', { AAAA: ['::1'], ttlSeconds: 0 })
  t.match(await fault(), /^sts-policy-fetch-error: .*Host found but no data record/)
  site.dns.set('mta-sts.example.test', 'servfail')
  t.match(await fault(), /^sts-policy-fetch-error: .*try again/)
  site.dns.set('mta-sts.example.test', undefined)
  t.match(await fault(), /^sts-policy-fetch-error: .*Host not found/)
})

t.test('a server that is slower than the deadline', async (t) => {
  const { site, fault } = await world(t, { timeoutMs: 100 })
  const late = 'sts-policy-fetch-error: no policy within 1 seconds'
  site.hosts.set(domain, { answer: () => undefined })
  t.equal(await fault(), late)
  // a drop now and then does not help
  site.hosts.set(domain, {
    answer: (response) => {
      response.writeHead(200, { 'content-type': 'text/plain' })
      const timer = setInterval(() => response.write('x: y\n'), 5)
      response.on('close', () => {
        clearInterval(timer)
      })
    },
  })
  t.equal(await fault(), late)
  site.dns.set('mta-sts.example.test', 'timeout')
  t.equal(await fault(), late)
})
