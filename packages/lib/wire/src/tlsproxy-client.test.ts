/**
 * tlsproxy-client.test - the conversation with tlsproxy(8), and every place where it can break off
 *
 * The lists are recorded from smtp(8) of Postfix 3.7.11.
 */
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import t from 'tap'
import { decodeAttrList, encodeAttrList, type AttrList } from './attr-list.ts'
import type { Channel } from './channel.ts'
import { FakeService } from './fake-service.ts'
import { openTlsproxy, type TlsproxyOptions } from './tlsproxy-client.ts'
import {
  TlsContextList,
  TlsproxyClientRequest,
  TlsproxyOpening,
  tlsproxyProtocol,
  type TlsContext,
} from './tlsproxy-protocol.ts'
import { AttrError } from './wire-error.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

const requestAttrs: AttrList = [
  ['config_file', 'default'],
  ['config_name', ''],
  ['tls_high_cipherlist', 'aNULL:-aNULL:HIGH:@STRENGTH'],
  ['tls_medium_cipherlist', 'aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH'],
  ['tls_low_cipherlist', 'aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH'],
  ['tls_export_cipherlist', 'aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH'],
  ['tls_null_cipherlist', 'eNULL:!aNULL'],
  ['tls_eecdh_auto_curves', 'X25519 X448 prime256v1 secp521r1 secp384r1'],
  ['tls_eecdh_strong_curve', 'prime256v1'],
  ['tls_eecdh_ultra_curve', 'secp384r1'],
  ['tls_disable_workarounds', ''],
  ['tls_ssl_options', ''],
  ['tls_dane_digests', 'sha512 sha256'],
  ['tlsmgr_service_name', 'tlsmgr'],
  ['tls_session_ticket_cipher', 'aes-256-cbc'],
  ['tls_daemon_random_bytes', '32'],
  ['tls_append_default_CA', '0'],
  ['tls_legacy_public_key_fingerprints', '0'],
  ['tls_preempt_cipherlist', '0'],
  ['tls_wildcard_matches_multiple_labels', '1'],
  ['log_param', 'smtp_tls_loglevel'],
  ['log_level', '1'],
  ['verifydepth', '9'],
  ['cache_type', 'smtp'],
  ['chain_files', ''],
  ['cert_file', ''],
  ['key_file', ''],
  ['dcert_file', ''],
  ['dkey_file', ''],
  ['eccert_file', ''],
  ['eckey_file', ''],
  ['CAfile', ''],
  ['CApath', ''],
  ['mdalg', 'sha256'],
  ['timeout', '3'],
  ['tls_level', '2'],
  ['nexthop', '127.0.0.1'],
  ['host', '127.0.0.1'],
  ['namaddr', '127.0.0.1[127.0.0.1]:34819'],
  ['sni', ''],
  ['serverid', 'smtp&[127.0.0.1]:34819&127.0.0.1&127.0.0.1&'],
  ['helo', 'peer.test'],
  ['protocols', '>=TLSv1'],
  ['cipher_grade', 'medium'],
  ['cipher_exclusions', 'eNULL'],
  ['argv_size', '0'],
  ['mdalg', 'sha256'],
  ['dane', '0'],
]
const request = TlsproxyClientRequest.parse(requestAttrs)
const opening = {
  remoteEndpoint: '[127.0.0.1]:34819',
  handshakeTimeoutSeconds: 3,
  sessionTimeoutSeconds: 600,
  serverId: 'smtp',
}
const openingOctets =
  'remote_endpoint\0[127.0.0.1]:34819\0flags\x006\0timeout\x003\0timeout\x00600\0serverid\0smtp\0\0'

const context: TlsContext = {
  peerName: 'mx.test',
  issuerName: 'Test CA',
  fingerprint: 'AA',
  keyFingerprint: 'BB',
  level: 2,
  peerStatus: 5,
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  cipherUsedBits: 256,
  cipherBits: 256,
  keyExchange: 'X25519',
  keyExchangeCurve: '',
  keyExchangeBits: 0,
  clientSignature: '',
  clientSignatureCurve: '',
  clientSignatureBits: 0,
  clientSignatureDigest: '',
  serverSignature: 'RSA-PSS',
  serverSignatureCurve: '',
  serverSignatureBits: 2048,
  serverSignatureDigest: 'SHA256',
  peer: '127.0.0.1[127.0.0.1]:34819',
}

function options(service: FakeService): TlsproxyOptions {
  logged.lines.length = 0
  return { path: service.path, opening, request }
}

/** Announces and reads the request. */
async function begin(channel: Channel): Promise<[AttrList, AttrList]> {
  channel.announce(tlsproxyProtocol)
  return [await channel.receiveReply(), await channel.receiveReply()]
}

t.test('the request, octet by octet', (t) => {
  t.same(TlsproxyClientRequest.format(request), requestAttrs)
  t.equal(TlsproxyOpening.encode({ ...opening, flags: 6 }), openingOctets)
  const anchors = {
    domain: 'mx.test',
    records: [{ usage: 3, selector: 1, matchingType: 1, data: '\0\xff' }],
  }
  const start = { ...request.start, matches: ['a.test', '.b.test'], anchors }
  const octets = TlsproxyClientRequest.encode({ ...request, start })
  t.ok(
    octets.endsWith(
      'argv_size\x002\0argv_value\0a.test\0argv_value\0.b.test\0mdalg\0sha256\0dane\x001\0' +
        'domain\0mx.test\0count\x001\0usage\x003\0selector\x001\0mtype\x001\0data\0AP8=\0\0',
    ),
  )
  const attrs = decodeAttrList(octets)?.attrs ?? []
  t.same(TlsproxyClientRequest.parse(attrs).start, start)
  for (const count of ['-1', '1025']) {
    const many = attrs.map(([name, value]): [string, string] => [
      name,
      name === 'count' ? count : value,
    ])
    t.throws(() => TlsproxyClientRequest.parse(many), AttrError)
  }
  t.end()
})

t.test('plaintext follows the context', async (t) => {
  let asked: AttrList[] = []
  using service = FakeService.start(async (channel) => {
    asked = await begin(channel)
    channel.send('status\x001\0\0')
    const stream = new ByteStream(await channel.stream.receiveDescriptor())
    channel.send(`${TlsContextList.encode(context)}220 welcome\r\n`)
    stream.write(await channel.stream.readUntil('\r\n', 100))
    await stream.end()
  })
  const [near, far] = socketPair()
  const session = await openTlsproxy(options(service), near)
  t.same(session.context, context)
  t.equal(await session.stream.readUntil('\r\n', 100), '220 welcome')
  session.stream.write('EHLO\r\n')
  await session.stream.flush()
  const peer = new ByteStream(far, { timeoutMs: 5_000 })
  t.equal(await peer.readExactly(4), 'EHLO')
  peer.close()
  session.stream.close()
  t.equal(encodeAttrList(asked[0] ?? []), openingOctets)
  t.same(asked[1], requestAttrs)
  t.notOk(near.isOpen)
  t.same(logged.lines, [])
})

const failures: [what: string, serve: (channel: Channel) => Promise<void>, warning?: RegExp][] = [
  ['closes at once', async () => Promise.resolve(), /error receiving .* initial response: /],
  [
    'speaks something else',
    async (channel) => {
      channel.announce('foo')
      await channel.untilInput()
    },
    /error receiving .* initial response: /,
  ],
  [
    'has no engine',
    async (channel) => {
      await begin(channel)
      channel.send('status\x000\0\0')
      await channel.untilInput()
    },
    /service role "client" is not available$/,
  ],
  [
    'goes after the request',
    async (channel) => {
      await begin(channel)
    },
    /service role "client" is not available$/,
  ],
  [
    'goes during the handshake',
    async (channel) => {
      await begin(channel)
      channel.send('status\x001\0\0')
      const descriptor = await channel.stream.receiveDescriptor()
      descriptor.close()
    },
  ],
  [
    'sends something else',
    async (channel) => {
      await begin(channel)
      channel.send('status\x001\0\0')
      const descriptor = await channel.stream.receiveDescriptor()
      descriptor.close()
      channel.send('x\x001\0\0')
    },
  ],
]

for (const [what, serve, warning] of failures) {
  t.test(`a tlsproxy(8) that ${what}`, async (t) => {
    using service = FakeService.start(serve)
    const [near, far] = socketPair()
    // whose doing it is: ours as long as nothing was handed over, else the peer's in all likelihood
    const name = warning === undefined ? 'ProxiedHandshakeError' : 'ServiceError'
    await t.rejects(openTlsproxy(options(service), near), { code: 'POSTHORN_SERVICE', name })
    t.notOk(near.isOpen, 'the connection is closed')
    const peer = new ByteStream(far, { timeoutMs: 5_000 })
    t.equal(await peer.fill(), false, 'and nobody has it')
    peer.close()
    if (warning === undefined) t.same(logged.lines, [], 'tlsproxy(8) has logged why')
    else t.match(logged.lines, [warning])
  })
}

t.test('no tlsproxy(8) at all', async (t) => {
  const [near, far] = socketPair()
  logged.lines.length = 0
  await t.rejects(openTlsproxy({ path: '/nonexistent/tlsproxy', opening, request }, near), {
    code: 'POSTHORN_SERVICE',
  })
  t.notOk(near.isOpen)
  far.close()
  t.same(logged.lines, [
    'warning: connect to /nonexistent/tlsproxy service: No such file or directory',
  ])
})
