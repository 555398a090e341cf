/**
 * judged-connection - certificates of all kinds, and what a connection to a server with one of them comes to
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { captureLog } from '@posthorn/log/capture-log'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import {
  TLS_LEVELS,
  type TlsClientInit,
  type TlsClientParams,
  type TlsClientStart,
  type TlsContext,
} from '@posthorn/wire/tlsproxy-protocol'
import { HandshakeError, openClientEngine } from '../client-engine.ts'
import { makeCertificate, type MadeCertificate } from './certificate-maker.ts'
import { clientInit, clientParams, clientStart, PEER } from './settings.ts'
import { serve, type ServerBehaviour } from './tls-server.ts'

export const root = makeCertificate({ subject: { CN: 'Test Root CA' }, isAuthority: true })
export const inter = makeCertificate({
  subject: { CN: 'Test Intermediate CA' },
  issuer: root,
  isAuthority: true,
})
export const host = { subject: { CN: 'mx.good.test' }, dnsNames: ['mx.good.test'], issuer: inter }
export const good = makeCertificate(host)
export const expired = makeCertificate({ ...host, validFrom: -60, validTo: -30 })
export const clientOnly = makeCertificate({ ...host, isForClients: true })
export const self = makeCertificate({ subject: host.subject, dnsNames: host.dnsNames })
export const wrong = makeCertificate({ ...host, subject: { CN: 'x' }, dnsNames: ['mx.other.test'] })
/** As good as `good`, with another key. */
export const other = makeCertificate(host)

/** What a server has: its certificate, then those that it sends with it. */
export function identity(
  certificate: MadeCertificate,
  ...chain: MadeCertificate[]
): { key: string; cert: string } {
  return { key: certificate.keyPem, cert: [certificate, ...chain].map(({ pem }) => pem).join('') }
}

// what Postfix 3.7.11 logs
export const SUMMARY = `TLS connection established to ${PEER}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519`
export const ECDSA = `${SUMMARY} server-signature ECDSA (prime256v1) server-digest SHA256`
export const UNTRUSTED = `Untrusted ${ECDSA}`

/** `whose`: 'server ', 'CA ' or nothing. */
export function failed(what: string, whose = ''): string {
  return `${whose}certificate verification failed for ${PEER}: ${what}`
}

export const matches = ['mx.good.test']
export const verify = { level: TLS_LEVELS.verify, matches, cipherExclusions: 'aNULL' }

export interface Setting {
  params?: Partial<TlsClientParams>
  init?: Partial<TlsClientInit>
  start?: Partial<TlsClientStart>
}

/** With `root` as CAfile, unless told otherwise. */
export async function connect(
  t: Test,
  behaviour: ServerBehaviour,
  { params, init, start }: Setting = {},
): Promise<{ context: TlsContext | undefined; lines: readonly string[] }> {
  const caFile = join(temporaryDirectory(t), 'root.pem')
  await writeFile(caFile, root.pem)
  const server = await serve(t, behaviour)
  const log = captureLog()
  try {
    const engine = await openClientEngine(clientParams(params), clientInit({ caFile, ...init }))
    if (engine === undefined) return { context: undefined, lines: log.lines }
    const stream = await server.connect()
    try {
      const context = await engine.start(stream, clientStart(start))
      stream.close()
      return { context, lines: log.lines }
    } catch (error) {
      t.ok(error instanceof HandshakeError, 'a fault of the handshake is a HandshakeError')
      t.equal(stream.isOpen, false, 'the stream is closed')
      return { context: undefined, lines: log.lines }
    }
  } finally {
    log.restore()
  }
}
