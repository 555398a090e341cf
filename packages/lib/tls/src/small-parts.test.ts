import { createHash, X509Certificate } from 'node:crypto'
import t from 'tap'
import { captureLog } from '@posthorn/log/capture-log'
import type { TlsContext } from '@posthorn/wire/tlsproxy-protocol'
import {
  alternativeName,
  commonName,
  findMatch,
  mismatchText,
  oneLine,
} from './certificate-names.ts'
import { cipherBits, cipherList } from './cipher-list.ts'
import { parseDaneDigests } from './dane-digests.ts'
import { fingerprint, fingerprintAnchors, isDigest, recordText } from './fingerprint.ts'
import { libraryProblems } from './library-problem.ts'
import { splitPem } from './pem.ts'
import { parseProtocols } from './protocol-list.ts'
import { secureOptions } from './ssl-options.ts'
import { summaryLine } from './summary-line.ts'
import { parseTlsLogLevel } from './tls-log-level.ts'
import { makeCertificate } from './test/certificate-maker.ts'
import { clientParams } from './test/settings.ts'

/** The lines that are logged meanwhile. */
function logged(act: () => void): string[] {
  const log = captureLog()
  try {
    act()
  } finally {
    log.restore()
  }
  return log.lines
}

t.test('parseProtocols() reads bounds, names and exclusions', (t) => {
  const range = (list: string): string => {
    const found = parseProtocols(list)
    if (found === undefined) return 'invalid'
    const { minVersion, maxVersion, options, unknown } = found
    return [minVersion, maxVersion, options.toString(16), ...unknown].join(' ')
  }
  const table: Record<string, string> = {
    '': 'TLSv1 TLSv1.3 0',
    '>=TLSv1': 'TLSv1 TLSv1.3 0',
    '>=TLSv1.2': 'TLSv1.2 TLSv1.3 0',
    '>=tlsv1.2, <=TLSv1.2': 'TLSv1.2 TLSv1.2 0',
    '>=0303': 'TLSv1.2 TLSv1.3 0',
    '>=0x303:<=0x0304': 'TLSv1.2 TLSv1.3 0',
    '<=301': 'TLSv1 TLSv1 0',
    '>=0': 'TLSv1 TLSv1.3 0',
    '<=0': 'TLSv1 TLSv1.3 0',
    '>=SSLv3 <=TLSv1': 'TLSv1 TLSv1 0',
    '<=SSLv3': 'TLSv1 TLSv1.3 3c000000',
    '!SSLv2, !SSLv3': 'TLSv1 TLSv1.3 0',
    '!SSLv2, !SSLv3, !TLSv1': 'TLSv1 TLSv1.3 4000000',
    '!TLSv1.2': 'TLSv1 TLSv1.3 8000000',
    'TLSv1.2:TLSv1.3': 'TLSv1 TLSv1.3 14000000',
    'tlsv1.2': 'TLSv1 TLSv1.3 34000000',
    '!TLSv1, TLSv1.2': 'TLSv1 TLSv1.3 34000000',
    '>= TLSv1.2': 'TLSv1 TLSv1.3 34000000',
    '!TLSv1, !TLSv1.1, !TLSv1.2, !TLSv1.3': 'TLSv1 TLSv1.3 3c000000',
    '>=0305': 'TLSv1 TLSv1.3 0 minimum TLS version to: 0x0305',
    '<=0305': 'TLSv1 TLSv1.3 0 maximum TLS version to: 0x0305',
    '>=TLSv9': 'invalid',
    '>=SSLv2': 'invalid',
    foo: 'invalid',
    '!SSLv9': 'invalid',
    '0303': 'invalid',
  }
  for (const [list, expected] of Object.entries(table)) t.equal(range(list), expected, list)
  t.end()
})

t.test('cipherList() joins grade and exclusions', (t) => {
  const list = (grade: string, exclusions: string) => cipherList(clientParams(), grade, exclusions)
  t.equal(list('medium', ''), 'aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH')
  t.equal(list('medium', 'eNULL'), 'aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH:!eNULL')
  t.equal(
    list('high', 'CHACHA20 aNULL, MD5 DES+MD5, RC4 aNULL'),
    'aNULL:-aNULL:HIGH:@STRENGTH:!CHACHA20:!aNULL:!MD5:!DES+MD5:!RC4:!aNULL',
  )
  t.equal(list('HIGH', 'MD5:DES'), 'aNULL:-aNULL:HIGH:@STRENGTH:!MD5:!DES')
  t.equal(list('low', ''), 'aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH')
  t.equal(list('export', ''), 'aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH')
  t.equal(list('null', ''), 'eNULL:!aNULL')
  t.equal(list('none', ''), undefined)
  t.end()
})

t.test('cipherBits() reads the strength from the name', (t) => {
  const table: Record<string, string> = {
    TLS_AES_256_GCM_SHA384: '256/256',
    TLS_AES_128_GCM_SHA256: '128/128',
    TLS_CHACHA20_POLY1305_SHA256: '256/256',
    'ECDHE-RSA-AES256-GCM-SHA384': '256/256',
    'ECDHE-RSA-AES128-GCM-SHA256': '128/128',
    'ECDHE-ECDSA-CHACHA20-POLY1305': '256/256',
    'AECDH-AES256-SHA': '256/256',
    'DHE-RSA-CAMELLIA128-SHA': '128/128',
    'ARIA256-GCM-SHA384': '256/256',
    'DES-CBC3-SHA': '112/168',
    'RC4-MD5': '128/128',
    'SEED-SHA': '128/128',
    'NULL-SHA256': '0/0',
  }
  for (const [name, expected] of Object.entries(table)) {
    const { used, algorithm } = cipherBits(name)
    t.equal(`${used}/${algorithm}`, expected, name)
  }
  t.end()
})

t.test('secureOptions() knows names and numbers', (t) => {
  const ALL = 0x80000850
  t.equal(secureOptions('', ''), ALL)
  t.equal(secureOptions('NO_TICKET', ''), ALL + 0x4000)
  t.equal(secureOptions('no_ticket, NO_COMPRESSION', ''), ALL + 0x24000)
  t.equal(secureOptions('0x40000000', ''), ALL + 0x40000000)
  t.equal(secureOptions('0x10000000000', ''), ALL + 2 ** 40)
  t.equal(secureOptions('0x4000, NO_COMPRESSION', ''), ALL + 0x24000)
  t.equal(secureOptions('', 'CRYPTOPRO_TLSEXT_BUG TLSEXT_PADDING'), 0x840)
  t.equal(secureOptions('', '0xFFFFFFFF'), 0)
  t.equal(secureOptions('', 'CVE-2010-4180'), ALL)
  t.same(
    logged(() => {
      t.equal(secureOptions('NO_TICKET nosuch', 'NOSUCH'), ALL + 0x4000)
    }),
    [
      'warning: unknown tls_disable_workarounds value "NOSUCH" in "NOSUCH"',
      'warning: unknown tls_ssl_options value "nosuch" in "NO_TICKET nosuch"',
    ],
  )
  t.end()
})

t.test('parseTlsLogLevel() reads levels and words', (t) => {
  const features = (text: string): string =>
    [...parseTlsLogLevel(text, 'smtp_tls_loglevel')].join(' ')
  t.equal(features(''), '')
  t.equal(features('0'), '')
  t.equal(features('1'), 'summary')
  t.equal(features('routine'), 'summary')
  t.equal(features('SUMMARY, cache'), 'summary cache')
  t.equal(features('1,untrusted'), 'summary untrusted')
  t.equal(features('peercert'), 'certmatch peercert')
  t.equal(features('2'), 'summary verbose certmatch peercert dane cache ssl-debug')
  t.equal(features('ssl-expert'), features('2'))
  t.same(
    logged(() => {
      t.equal(features('2 nosuch'), '')
    }),
    ['warning: unknown smtp_tls_loglevel value "nosuch" in "2 nosuch"'],
  )
  t.end()
})

t.test('parseDaneDigests() ranks digests, and refuses a list with a fault', (t) => {
  const table = (text: string): unknown =>
    parseDaneDigests(text) && [...(parseDaneDigests(text)?.entries() ?? [])]
  const SHA512_FIRST = [
    [2, { algorithm: 'sha512', rank: 0 }],
    [1, { algorithm: 'sha256', rank: 1 }],
  ]
  t.same(table('sha512 sha256'), SHA512_FIRST)
  t.same(table('SHA512=2, sha256=1'), SHA512_FIRST)
  t.same(table('sha1=7'), [[7, { algorithm: 'sha1', rank: 0 }]])
  const faults: Record<string, string> = {
    nosuch: 'tls_dane_digests: digest algorithm nosuch needs an explicit number',
    'nosuch=9': 'tls_dane_digests: digest algorithm "nosuch"(9) unknown',
    'sha256=2': 'tls_dane_digests: matching type 2 can only be sha512',
    'sha256 sha256': 'tls_dane_digests: matching type 1 specified more than once',
    'sha256=x': 'Invalid matching type number in tls_dane_digests: sha256=x',
    'sha256=0': 'Reserved matching type number in tls_dane_digests: sha256=0',
    'sha256=255': 'Invalid matching type number in tls_dane_digests: sha256=255',
  }
  for (const [text, fault] of Object.entries(faults)) {
    t.same(
      logged(() => {
        t.equal(parseDaneDigests(text), undefined)
      }),
      [`warning: ${fault}`],
      text,
    )
  }
  t.end()
})

t.test('findMatch() compares as the real one does', (t) => {
  const made = (CN: string, ...dnsNames: string[]) =>
    new X509Certificate(
      makeCertificate({ subject: { CN }, ...(dnsNames.length > 0 ? { dnsNames } : {}) }).pem,
    )
  const table: [X509Certificate, string[], string[]][] = [
    [
      made('x', 'mx.good.test'),
      ['mx.good.test', '.good.test', '.test'],
      ['good.test', 'a.b.good.test', 'x'],
    ],
    [made('x', 'MX.Good.Test'), ['mx.good.test'], []],
    [made('x', '*.good.test'), ['mx.good.test', '.good.test'], ['good.test', 'a.b.good.test']],
    [made('x', 'm*.good.test'), [], ['mx.good.test']],
    [made('x', '*'), [], ['mx.good.test']],
    [made('mx.good.test'), ['mx.good.test', '.good.test'], ['good.test']],
    [made('*.good.test'), ['mx.good.test'], ['a.b.good.test']],
    [made('mx.good.test', 'other.test'), ['other.test'], ['mx.good.test']],
    [made('x', 'a.b.good.test'), ['a.b.good.test', '.good.test'], ['b.good.test']],
  ]
  for (const [certificate, good, bad] of table) {
    for (const name of good) {
      t.equal(findMatch(certificate, ['nosuch.test', '', name]), name, `${name} is good`)
    }
    t.equal(findMatch(certificate, bad), undefined, `${bad.join(', ')} are not`)
  }
  t.end()
})

t.test('findMatch() wants an address among the addresses', (t) => {
  const made = (addresses: string[]) =>
    new X509Certificate(makeCertificate({ subject: { CN: '192.0.2.1' }, addresses }).pem)
  t.equal(findMatch(made(['192.0.2.1']), ['192.0.2.1']), '192.0.2.1')
  t.equal(findMatch(made(['192.0.2.2']), ['192.0.2.1']), undefined)
  t.equal(findMatch(made([]), ['192.0.2.1']), undefined, 'a common name is no address')
  t.equal(mismatchText(['192.0.2.1']), 'num=64:IP address mismatch')
  t.equal(mismatchText(['mx.test', '192.0.2.1']), 'num=62:hostname mismatch')
  t.end()
})

t.test('oneLine() and commonName() read subjects, also odd ones', (t) => {
  const subjectOf = (subject: Record<string, string>): string =>
    new X509Certificate(makeCertificate({ subject }).pem).subject
  const plain = subjectOf({ C: 'NL', O: 'Example, Ltd', CN: 'mx.example.com' })
  t.equal(oneLine(plain), '/C=NL/O=Example, Ltd/CN=mx.example.com')
  t.equal(commonName(plain), 'mx.example.com')
  const odd = subjectOf({ CN: 'a\nCN=b\\"+;<>#é' })
  t.equal(oneLine(odd), '/CN=a\\x0ACN=b\\"+;<>#\\xC3\\xA9')
  t.equal(commonName(odd), 'a\nCN=b\\"+;<>#\xc3\xa9', 'octets, not characters')
  const named = makeCertificate({ subject: { O: 'x' }, dnsNames: ['mx.a.test', 'b.test'] })
  t.equal(alternativeName(new X509Certificate(named.pem)), 'mx.a.test')
  t.equal(oneLine(''), '')
  t.equal(commonName(''), '')
  t.end()
})

t.test('fingerprints in the log, and as records', (t) => {
  const octets = Buffer.from('x')
  const hex = createHash('sha1').update(octets).digest('hex').toUpperCase()
  t.equal(fingerprint(octets, 'sha1').replaceAll(':', ''), hex)
  t.match(fingerprint(octets, 'sha1'), /^([0-9A-F]{2}:){19}[0-9A-F]{2}$/)
  t.equal(isDigest('MD5'), true)
  t.equal(isDigest('nosuch'), false)
  t.same(
    logged(() => {
      const { records } = fingerprintAnchors(['zz:not:hex', 'ab:CD'], true)
      t.same(records.map(recordText), ['3 1 255 ABCD', '3 0 255 ABCD'])
    }),
    [
      'warning: malformed fingerprint value: zz:not:hex',
      'fingerprint: digest as private-use TLSA record: 3 0 255 ABCD',
    ],
  )
  const long = {
    usage: 2,
    selector: 0,
    matchingType: 0,
    data: `${'0'.repeat(40)}${'1'.repeat(40)}`,
  }
  t.equal(recordText(long), `2 0 0 ${'30'.repeat(32)}...${'31'.repeat(32)}`)
  t.equal(recordText({ ...long, data: '0'.repeat(64) }), `2 0 0 ${'30'.repeat(64)}`)
  t.end()
})

t.test('libraryProblems() leaves thread and function out', (t) => {
  const error = new Error(
    '407D1153747F0000:error:0A000410:SSL routines:ssl3_read_bytes:ssl/tls alert handshake failure:../deps/x.c:916:SSL alert number 40:\n',
  )
  t.same(libraryProblems(error), [
    'error:0A000410:SSL routines::ssl/tls alert handshake failure:../deps/x.c:916:SSL alert number 40:',
  ])
  t.same(libraryProblems(new Error('read ECONNRESET')), [])
  t.end()
})

t.test('splitPem() finds blocks among other text', (t) => {
  const { pem, keyPem } = makeCertificate({ subject: { CN: 'x' } })
  const blocks = splitPem(
    `Certificate:\n Data\n${pem}${keyPem.replaceAll('\n', '\r\n')}-----BEGIN X-----\n`,
  )
  t.same(
    blocks.map(({ label }) => label),
    ['CERTIFICATE', 'PRIVATE KEY'],
  )
  t.same(blocks[0]?.der, new X509Certificate(pem).raw)
  t.same(splitPem('rubbish'), [])
  t.end()
})

t.test('summaryLine() says who and how', (t) => {
  const context: TlsContext = {
    peerName: 'mx.good.test',
    issuerName: 'Test Intermediate CA',
    fingerprint: '',
    keyFingerprint: '',
    level: 1,
    peerStatus: 0,
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    cipherUsedBits: 256,
    cipherBits: 256,
    keyExchange: 'ECDHE',
    keyExchangeCurve: 'secp384r1',
    keyExchangeBits: 0,
    clientSignature: '',
    clientSignatureCurve: '',
    clientSignatureBits: 0,
    clientSignatureDigest: '',
    serverSignature: 'RSA-PSS',
    serverSignatureCurve: '',
    serverSignatureBits: 2048,
    serverSignatureDigest: 'SHA256',
    peer: 'mx.good.test[127.0.0.1]:25',
  }
  const rest =
    'to mx.good.test[127.0.0.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange ECDHE (secp384r1) server-signature RSA-PSS (2048 bits) server-digest SHA256'
  const word = (peerStatus: number): string =>
    summaryLine({ ...context, peerStatus }, 'established')
  t.equal(word(0), `Anonymous TLS connection established ${rest}`)
  t.equal(word(1), `Untrusted TLS connection established ${rest}`)
  t.equal(word(1 | 4), `Trusted TLS connection established ${rest}`)
  t.equal(word(1 | 4 | 8), `Trusted TLS connection established ${rest}`)
  t.equal(word(1 | 4 | 8 | 16), `Verified TLS connection established ${rest}`)
  t.equal(
    summaryLine(
      {
        ...context,
        keyExchange: 'DHE',
        keyExchangeCurve: '',
        keyExchangeBits: 2048,
        serverSignature: 'ED25519',
        serverSignatureBits: 0,
        serverSignatureDigest: '',
      },
      'reused',
    ),
    'Anonymous TLS connection reused to mx.good.test[127.0.0.1]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange DHE (2048 bits) server-signature ED25519',
  )
  t.end()
})
