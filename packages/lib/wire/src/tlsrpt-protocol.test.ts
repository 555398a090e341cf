/**
 * tlsrpt-protocol.test - what libtlsrpt sends is read, and what we send says the same; a collector that is away harms nobody
 *
 * The datagrams are those of the examples in the manual of libtlsrpt, with the blanks that it writes.
 */
import { rmSync } from 'node:fs'
import { captureLog } from '@posthorn/log/capture-log'
import { DatagramSocket } from '@posthorn/native/datagram'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { waitFor } from '@posthorn/testing/wait-for'
import fc from 'fast-check'
import t from 'tap'
import {
  encodeTlsrptDatagram,
  parseTlsrptDatagram,
  TlsrptClient,
  type TlsrptRequest,
} from './tlsrpt-protocol.ts'
import { TlsrptError } from './wire-error.ts'

const HEAD =
  '{"dpv": "1","d": "company-y.example","pr": "v=TLSRPTv1;rua=mailto:reports@example.com"'
const head = {
  recipientDomain: 'company-y.example',
  record: 'v=TLSRPTv1;rua=mailto:reports@example.com',
}
const where = {
  receivingMxHostname: 'mailin.example.com',
  receivingMxHelo: 'test-ehlo.example.com',
  additionalInformation: 'This is additional information',
  failureReasonCode: '999 TEST ERROR',
} as const
const place =
  '"n": "mailin.example.com","h": "test-ehlo.example.com","r": "11.22.33.44","a": "This is additional information",' +
  '"f": "999 TEST ERROR"}'

const sts = {
  type: 'sts',
  domain: 'company-y.example',
  strings: ['version: STSv1', 'mode: testing', 'mx: *.mail.company-y.example', 'max_age: 86400'],
  mxHostPatterns: ['*.mail.company-y.example', '*.mail2.company-y.example'],
} as const
const STS =
  '{"policy-type":2,"policy-domain": "company-y.example","policy-string":["version: STSv1","mode: testing",' +
  '"mx: *.mail.company-y.example","max_age: 86400"],"mx-host":["*.mail.company-y.example","*.mail2.company-y.example"]'

/** What is said, and how libtlsrpt says it. */
const EXAMPLES: readonly (readonly [string, TlsrptRequest, string])[] = [
  [
    'no policy, success',
    {
      ...head,
      policies: [
        {
          type: 'no-policy-found',
          domain: 'company-y.example',
          strings: [],
          mxHostPatterns: [],
          isSuccess: true,
          failures: [],
        },
      ],
    },
    `${HEAD},"policies":[{"policy-type":9,"policy-domain": "company-y.example","t":0,"f":0}]}`,
  ],
  [
    'STS, two failures; TLSA, success',
    {
      ...head,
      policies: [
        {
          ...sts,
          isSuccess: false,
          failures: [
            {
              code: 'sts-policy-invalid',
              sendingMtaIp: '1.2.3.4',
              receivingIp: '11.22.33.44',
              ...where,
            },
            {
              code: 'sts-webpki-invalid',
              sendingMtaIp: '1.2.3.5',
              receivingIp: '11.22.33.44',
              ...where,
            },
          ],
        },
        {
          type: 'tlsa',
          domain: 'company-y.example',
          strings: ['3 0 1 1F850A337E6DB9C609C522D136A475638CC43E1ED424F8EEC8513D747D1D085D'],
          mxHostPatterns: [],
          isSuccess: true,
          failures: [],
        },
      ],
    },
    `${HEAD},"policies":[${STS},"failure-details":[{"c":302,"s": "1.2.3.4",${place},{"c":303,"s": "1.2.3.5",${place}],"t":2,"f":1},` +
      '{"policy-type":1,"policy-domain": "company-y.example",' +
      '"policy-string":["3 0 1 1F850A337E6DB9C609C522D136A475638CC43E1ED424F8EEC8513D747D1D085D"],"t":0,"f":0}]}',
  ],
]

for (const [name, request, datagram] of EXAMPLES) {
  t.test(`${name}: read as it was meant, and written with the same content`, (t) => {
    t.same(parseTlsrptDatagram(datagram), request)
    t.same(parseTlsrptDatagram(Buffer.from(datagram)), request)
    t.equal(encodeTlsrptDatagram(request), datagram.replaceAll('": "', '":"'))
    t.end()
  })
}

t.test('parseTlsrptDatagram() takes an old libtlsrpt, and a policy without a domain', (t) => {
  const old = '{"d": "a.example","pr": "v=TLSRPTv1;","policies":[{"policy-type":9,"t":0,"f":1}]}'
  const { recipientDomain, policies } = parseTlsrptDatagram(old)
  t.equal(recipientDomain, 'a.example')
  t.match(policies, [{ domain: 'a.example', isSuccess: false, failures: [] }])
  t.end()
})

t.test('every failure has its number', (t) => {
  const numbers = [
    ['starttls-not-supported', 201],
    ['certificate-host-mismatch', 202],
    ['certificate-not-trusted', 203],
    ['certificate-expired', 204],
    ['validation-failure', 205],
    ['sts-policy-fetch-error', 301],
    ['sts-policy-invalid', 302],
    ['sts-webpki-invalid', 303],
    ['tlsa-invalid', 304],
    ['dnssec-invalid', 305],
    ['dane-required', 306],
  ] as const
  const policy = { ...sts, isSuccess: false, failures: numbers.map(([code]) => ({ code })) }
  const datagram = encodeTlsrptDatagram({ ...head, policies: [policy] })
  t.match(
    datagram,
    `"failure-details":[${numbers.map(([, number]) => `{"c":${number}}`).join(',')}],"t":11,"f":1}`,
  )
  t.same(
    parseTlsrptDatagram(datagram).policies[0]?.failures,
    numbers.map(([code]) => ({ code })),
  )
  t.end()
})

t.test('parseTlsrptDatagram() refuses what is no result', (t) => {
  const policy = '{"policy-type":9,"t":0,"f":0}'
  const bad = [
    '',
    'W',
    '[]',
    'null',
    '{"d":"a.example"}',
    '{"d":1,"pr":"x"}',
    '{"d":"","pr":"x"}',
    '{"dpv":"2","d":"a.example","pr":"x","policies":[]}',
    '{"d":"a.example","pr":"x","policies":{}}',
    '{"d":"a.example","pr":"x","policies":[1]}',
    `{"d":"a.example","pr":"x","policies":[${policy.replace('9', '3')}]}`,
    `{"d":"a.example","pr":"x","policies":[${policy.replace('"f":0', '"f":2')}]}`,
    `{"d":"a.example","pr":"x","policies":[${policy.replace('}', ',"failure-details":[{"c":1}]}')}]}`,
    `{"d":"a.example","pr":"x","policies":[${policy.replace('}', ',"policy-string":[1]}')}]}`,
    `{"d":"${'a'.repeat(256)}","pr":"x","policies":[]}`,
    `{"d":"a.example","pr":"${'a'.repeat(4001)}","policies":[]}`,
  ]
  for (const datagram of bad) t.throws(() => parseTlsrptDatagram(datagram), TlsrptError, datagram)
  t.end()
})

t.test('what is read is printable, cut and counted', (t) => {
  const failures = Array.from({ length: 101 }, () => ({
    code: 'validation-failure' as const,
    receivingMxHelo: 'x\r\n\u009b' + 'y'.repeat(2000),
  }))
  const request = { ...head, policies: [{ ...sts, isSuccess: false, failures }] }
  const [policy] = parseTlsrptDatagram(encodeTlsrptDatagram(request)).policies
  t.equal(policy?.failures.length, 100)
  const [first] = policy?.failures ?? []
  t.match(first?.receivingMxHelo, /^x\?\?[^\r\n]+y$/)
  t.ok((first?.receivingMxHelo ?? '').length <= 1002)
  t.end()
})

const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((value) => !/\p{C}/u.test(value))
const octets = text.map((value) => Buffer.from(value).toString('latin1'))

t.test('any text survives the wire, where it is ASCII', (t) => {
  const survives = fc.property(octets, fc.array(octets), (helo, strings) => {
    const failures = [{ code: 'tlsa-invalid' as const, receivingMxHelo: helo }]
    const policies = [{ ...sts, strings, isSuccess: false, failures }]
    const datagram = encodeTlsrptDatagram({ ...head, policies })
    const [policy] = parseTlsrptDatagram(datagram).policies
    const isSame = policy?.failures[0]?.receivingMxHelo === helo
    return /^[\x20-\x7e]+$/.test(datagram) && isSame && policy.strings.join() === strings.join()
  })
  t.doesNotThrow(() => {
    fc.assert(survives, { numRuns: 50 })
  })
  t.end()
})

t.test('TlsrptClient sends, and finds a collector that was started anew', async (t) => {
  const path = `${temporaryDirectory(t)}/collector`
  const received: string[] = []
  const listen = (): DatagramSocket => {
    const socket = DatagramSocket.bind(path)
    socket.onMessage((datagram) => received.push(datagram))
    return socket
  }
  const request: TlsrptRequest = { ...head, policies: [] }
  const first = listen()
  const client = new TlsrptClient(path)
  client.send(request)
  await waitFor(() => received.length === 1)
  first.close()
  const second = listen()
  client.send(request)
  await waitFor(() => received.length === 2)
  t.same(received, [encodeTlsrptDatagram(request), encodeTlsrptDatagram(request)])
  client.close()
  second.close()
})

t.test('TlsrptClient loses results without a collector, and says so once a minute', (t) => {
  const log = captureLog()
  t.teardown(() => {
    log.restore()
  })
  const path = `${temporaryDirectory(t)}/collector`
  const clock = { ms: 1_000_000 }
  const client = new TlsrptClient(path, () => clock.ms)
  const request: TlsrptRequest = { ...head, policies: [] }
  client.send(request)
  client.send(request)
  clock.ms += 60_000
  client.send(request)
  t.match(log.lines, [
    /^warning: TLSRPT: 1 results not sent to .*\/collector: /,
    /^warning: TLSRPT: 2 results not sent to /,
  ])
  t.equal(log.lines.length, 2)

  const reader = DatagramSocket.bind(path)
  clock.ms += 60_000
  for (let i = 0; i < 10_000 && log.lines.length === 2; i++) client.send(request)
  t.match(log.lines[2], /^warning: TLSRPT: 1 results not sent to .*: the collector is behind$/)
  clock.ms += 60_000
  client.send({ ...request, record: 'x'.repeat(70_000) })
  t.match(log.lines[3], /: 70\d+ octets, the limit is 65000$/)
  client.close()
  reader.close()
  rmSync(path)
  t.end()
})
