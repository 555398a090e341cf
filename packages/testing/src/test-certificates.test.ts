import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:tls'
import t from 'tap'
import {
  intermediatePem,
  issueCertificate,
  rootPem,
  tlsaData,
  type CertificateRequest,
} from './test-certificates.ts'

/** What a client that trusts the root says of a server with this certificate; '' is no complaint. */
async function verdict(request: CertificateRequest, servername = 'peer.test'): Promise<string> {
  const { key, cert } = issueCertificate(request)
  const server = createServer({ key, cert }, (socket) => socket.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  const port = typeof bound === 'object' ? (bound?.port ?? 0) : 0
  const client = connect({
    port,
    host: '127.0.0.1',
    servername,
    ca: rootPem(),
    rejectUnauthorized: false,
  })
  await once(client, 'secureConnect')
  const error: unknown = client.authorizationError
  client.destroy()
  server.close()
  if (error instanceof Error) return 'code' in error ? String(error.code) : error.message
  return typeof error === 'string' ? error : ''
}

t.test(
  'issueCertificate() makes what OpenSSL takes, or refuses for the reason wanted',
  async (t) => {
    const requests: Record<string, [CertificateRequest, string]> = {
      good: [{}, ''],
      RSA: [{ key: 'rsa' }, ''],
      'below the root': [{ issuer: 'root' }, ''],
      'root sent too': [{ sends: 'root too' }, ''],
      'in the subject only': [{ hasCommonNameOnly: true }, ''],
      expired: [{ validity: 'expired' }, 'CERT_HAS_EXPIRED'],
      'not yet valid': [{ validity: 'future' }, 'CERT_NOT_YET_VALID'],
      'self-signed': [{ issuer: 'self' }, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
      'self-signed, RSA': [{ issuer: 'self', key: 'rsa' }, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
      'another root': [{ issuer: 'other' }, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      'without the intermediate': [{ sends: 'nothing more' }, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      'another name': [{ names: ['other.test'] }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
      'for clients': [{ usage: 'client' }, 'INVALID_PURPOSE'],
    }
    for (const [name, [request, wanted]] of Object.entries(requests)) {
      t.equal(await verdict(request), wanted, name)
    }
    t.equal(await verdict({ names: ['*.peer.test'] }, 'mx.peer.test'), '', 'for many names')
  },
)

t.test('issueCertificate() gives the same for the same request', (t) => {
  t.equal(
    issueCertificate({ names: ['a.test'] }).cert,
    issueCertificate({ names: ['a.test'] }).cert,
  )
  t.not(issueCertificate({ names: ['a.test'] }).cert, issueCertificate({ names: ['b.test'] }).cert)
  t.end()
})

t.test('tlsaData() of a leaf and of an authority', (t) => {
  const { certificate } = issueCertificate()
  t.equal(tlsaData({}, 0, 0), certificate.raw.toString('hex'))
  t.equal(tlsaData({}, 0, 1), certificate.fingerprint256.replaceAll(':', '').toLowerCase())
  t.equal(tlsaData({}, 1, 2).length, 128)
  t.equal(
    tlsaData('intermediate', 0, 0),
    new X509Certificate(intermediatePem()).raw.toString('hex'),
  )
  t.end()
})
