/**
 * upload-report.test - a report by HTTPS, to a server that shows who it is, and to those that do not
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FakeDns } from '@posthorn/testing/fake-dns'
import {
  issueCertificate,
  rootPem,
  type CertificateRequest,
} from '@posthorn/testing/test-certificates'
import { Resolver } from '@posthorn/dns/resolver'
import t, { type Test } from 'tap'
import type { DeliveryOutcome } from './delivery-outcome.ts'
import { findPublicAddresses, isPublicAddress } from './public-addresses.ts'
import { uploadReport, type Uploader } from './upload-report.ts'

const HOST = 'reports.example.test'
const octets = Buffer.from('compressed')

interface Received {
  readonly line: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

async function startServer(
  t: Test,
  certificate: CertificateRequest,
  answer: (response: ServerResponse) => void,
): Promise<{ url: (path: string) => URL; received: Received[] }> {
  const received: Received[] = []
  const { key, cert } = issueCertificate(certificate)
  const server: Server = createServer({ key, cert }, (request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')))
    request.on('end', () => {
      received.push({
        line: `${request.method ?? ''} ${request.url ?? ''}`,
        ...{ headers: request.headers, body },
      })
      answer(response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return { url: (path) => new URL(`https://${HOST}:${port}${path}`), received }
}

const uploader: Uploader = {
  findAddresses: async () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
  userAgent: 'Posthorn TLSRPT',
  authorities: rootPem(),
}

async function upload(url: URL, by: Uploader = uploader): Promise<DeliveryOutcome> {
  return uploadReport(by, url, octets, new AbortController().signal)
}

const end =
  (status: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse): void => {
    response.writeHead(status, headers).end('more')
  }

t.test('uploadReport() posts the compressed report', async (t) => {
  const { url, received } = await startServer(t, { names: [HOST] }, end(201))
  t.same(await upload(url('/v1/tlsrpt?for=x')), { kind: 'sent', text: 'HTTP status 201 Created' })
  t.match(received, [
    {
      line: 'POST /v1/tlsrpt?for=x',
      headers: {
        'content-type': 'application/tlsrpt+gzip',
        'content-length': '10',
        'user-agent': 'Posthorn TLSRPT',
        host: url('/').host,
      },
      body: 'compressed',
    },
  ])
})

t.test('uploadReport() defers on any other status, and follows nobody', async (t) => {
  for (const status of [500, 404, 302]) {
    const location = { location: 'https://other.example/' }
    const { url, received } = await startServer(t, { names: [HOST] }, end(status, location))
    t.match(await upload(url('/')), {
      kind: 'deferred',
      reason: new RegExp(`^HTTP status ${status} [A-Z]`),
    })
    t.equal(received.length, 1)
  }
})

t.test('uploadReport() wants a good certificate for the name', async (t) => {
  for (const certificate of [
    { names: ['other.example.test'] },
    { names: [HOST], validity: 'expired' },
    { names: [HOST], issuer: 'other' },
    { names: [HOST], issuer: 'self' },
  ] as const) {
    const { url, received } = await startServer(t, certificate, end(200))
    t.match(await upload(url('/')), { kind: 'deferred', reason: /certificate|altnames/ })
    t.equal(received.length, 0)
  }
  const { url } = await startServer(t, { names: [HOST] }, end(200))
  const { authorities, ...stranger } = uploader
  t.ok(authorities)
  t.match(await upload(url('/'), stranger), { kind: 'deferred' }, 'who knows our root?')
})

t.test('uploadReport() ends when we do, or when nobody is there', async (t) => {
  const stopping = new AbortController()
  const { url } = await startServer(t, { names: [HOST] }, () => {
    stopping.abort()
  })
  t.match(await uploadReport(uploader, url('/'), octets, stopping.signal), { kind: 'deferred' })
  const lost = { ...uploader, findAddresses: async () => Promise.resolve([]) }
  t.same(await upload(url('/'), lost), {
    kind: 'deferred',
    reason: `no address of ${HOST} that may be reached`,
  })
})

t.test('isPublicAddress() knows our own networks', (t) => {
  const own = [
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '169.254.1.1', '172.31.0.1'],
    ...['192.168.0.1', '198.19.0.1', '224.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:127.0.0.1', 'fe80::1', 'fc00::1', 'ff02::1', '64:ff9b::7f00:1'],
    ...['2002:7f00:1::1', '2001:0:1::1'],
  ]
  const open = ['192.0.1.1', '172.32.0.1', '8.8.8.8', '198.20.0.1', '2a00::1', '2001:4860::1']
  for (const address of own) t.notOk(isPublicAddress(address), address)
  for (const address of open) t.ok(isPublicAddress(address), address)
  t.end()
})

t.test('findPublicAddresses() leaves out those of our own networks', async (t) => {
  const dns = await FakeDns.start({
    [HOST]: { A: ['10.0.0.1', '8.8.8.8'], AAAA: ['::1', '2a00::1'] },
    'inside.example.test': { A: ['127.0.0.1'] },
  })
  t.teardown(async () => dns.close())
  const resolver = new Resolver({ servers: [dns.server] })
  t.same(await findPublicAddresses(resolver, HOST), [
    { address: '8.8.8.8', family: 4 },
    { address: '2a00::1', family: 6 },
  ])
  t.same(await findPublicAddresses(resolver, 'inside.example.test'), [])
  t.same(await findPublicAddresses(resolver, 'absent.example.test'), [])
})
