import fc from 'fast-check'
import t from 'tap'
import { destinationLabel, endpointLabel, type LabelRules } from './cache-labels.ts'
import {
  encodeDestinationProperties,
  encodeEndpointProperties,
  parseDestinationProperties,
  parseEndpointProperties,
} from './session-properties.ts'

const plain: LabelRules = { service: 'smtp', hasPasswordMaps: false, dependsOnSender: false }

t.test('labels are as a real smtp(8) writes them', (t) => {
  t.equal(destinationLabel(plain, 's@a.test', '[127.0.0.1]:11025'), 'smtp\n[127.0.0.1]:11025\n')
  const endpoint = {
    nexthop: 'example.com',
    hostName: 'mx.example.com',
    address: '127.0.0.1',
    port: 11025,
    tlsLevel: 0,
  }
  t.equal(endpointLabel(plain, 's@a.test', endpoint), 'smtp\n127.0.0.1\n11025\n0\n')
  const encrypted = { ...endpoint, port: 10027, tlsLevel: 2 }
  t.equal(
    endpointLabel({ ...plain, service: 'tsmtpr' }, '', encrypted),
    'tsmtpr\n127.0.0.1\n10027\n2\n',
  )
  const secure = { ...endpoint, address: '192.0.2.1', port: 25, tlsLevel: 8 }
  t.equal(endpointLabel(plain, '', secure), 'smtp\nexample.com\n192.0.2.1\n25\n8\n')
  const withPasswords = { service: 'smtp', hasPasswordMaps: true, dependsOnSender: true }
  t.equal(
    endpointLabel(withPasswords, '', { ...secure, tlsLevel: 1 }),
    'smtp\n*\nexample.com\nmx.example.com\n192.0.2.1\n25\n1\n',
  )
  t.equal(destinationLabel(plain, '', 'a*b'), `smtp\n${Buffer.from('a*b').toString('base64')}\n`)
  t.end()
})

t.test('properties are as a real smtp(8) writes them', (t) => {
  const destination = {
    nexthop: 'example.com',
    hostName: 'mx.example.com',
    address: '192.0.2.1',
    features: 4096,
  }
  const text =
    'destination=example.com\nhost_name=mx.example.com\nhost_addr=192.0.2.1\ndestination_features=4096\n\n'
  t.equal(encodeDestinationProperties(destination), text)
  t.same(parseDestinationProperties(text), destination)
  const endpoint = { tlsLevel: 0, reuseCount: 3, features: 32783, expireSeconds: 1795216301 }
  const endpointText =
    'tls_level=0\nreuse_count=3\nendpoint_features=32783\nexpire_time=1795216301\n\n'
  t.equal(encodeEndpointProperties(endpoint), endpointText)
  t.same(parseEndpointProperties(endpointText), endpoint)
  for (const bad of ['', text, `${endpointText}peer_CN=x\n\n`, endpointText.replace('3', 'x')]) {
    t.equal(parseEndpointProperties(bad), undefined)
  }
  t.equal(parseDestinationProperties(endpointText), undefined)
  t.end()
})

t.test('properties of a connection under TLS have a second group', (t) => {
  const tlsContext = {
    peerName: 'mx.example.com',
    issuerName: 'CA\nof two lines',
    fingerprint: '00:11',
    keyFingerprint: '22:33',
    level: 8,
    peerStatus: 31,
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    cipherUsedBits: 256,
    cipherBits: 256,
    keyExchange: 'X25519',
    keyExchangeCurve: '',
    keyExchangeBits: 253,
    clientSignature: '',
    clientSignatureCurve: '',
    clientSignatureBits: 0,
    clientSignatureDigest: '',
    serverSignature: 'RSA-PSS',
    serverSignatureCurve: '',
    serverSignatureBits: 2048,
    serverSignatureDigest: 'SHA256',
    peer: 'mx.example.com[192.0.2.1]:25',
  }
  const endpoint = { tlsLevel: 8, reuseCount: 0, features: 4194305, expireSeconds: 1795216301 }
  const text = encodeEndpointProperties({ ...endpoint, tlsContext })
  t.match(text, /^tls_level=8\n.*\n\npeer_CN=mx\.example\.com\nissuer_CN=CA\?of two lines\n/s)
  t.match(text, /\nnamaddr=mx\.example\.com\[192\.0\.2\.1\]:25\n\n$/)
  t.same(parseEndpointProperties(text), {
    ...endpoint,
    tlsContext: { ...tlsContext, issuerName: 'CA?of two lines' },
  })
  const without = encodeEndpointProperties(endpoint)
  t.equal(parseEndpointProperties(without), undefined, 'a level that needs TLS, and none')
  t.ok(parseEndpointProperties(without.replace('tls_level=8', 'tls_level=1')))
  t.equal(parseEndpointProperties(`${text}more`), undefined)
  t.equal(parseEndpointProperties(text.replace('level=8\npeer_status', 'peer_status')), undefined)
  t.end()
})

t.test('different destinations never share a label', (t) => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, other) => {
      fc.pre(one !== other)
      // `*` stands for nothing: the one text that would collide is quoted
      t.not(destinationLabel(plain, '', one), destinationLabel(plain, '', other))
    }),
    { numRuns: 200 },
  )
  t.end()
})
