/**
 * upload-report - hands a report to a server by HTTPS
 *
 * POST of the compressed report (RFC 8460 5.4). The server must have a certificate for its name; a redirection is not followed.
 * What it says beyond its status is not read.
 * Limits: UPLOAD_TIMEOUT_MS for all of it; 16 KB of header, Node's own.
 */
import type { RequestOptions } from 'node:https'
import { errorReason } from '@posthorn/native/system-error'
import type { DeliveryOutcome } from './delivery-outcome.ts'
import type { ServerAddress } from './public-addresses.ts'

const UPLOAD_TIMEOUT_MS = 60_000

export interface Uploader {
  /** Where the server is; none: it cannot be reached. Never rejects. */
  readonly findAddresses: (host: string) => Promise<readonly ServerAddress[]>
  /** What the server is told about us. */
  readonly userAgent: string
  /** PEM; undefined: the authorities that Node.js and the system know. */
  readonly authorities?: string
}

/** The first two words of a status line, with nothing unprintable. */
function describe(status: number | undefined, message: string | undefined): string {
  return `HTTP status ${status ?? 0} ${(message ?? '').replace(/[^\x20-\x7e]/g, '?').slice(0, 100)}`
}

let known: string[] | undefined

/** Read once: 150 certificates of Node.js, and as many of the system. */
async function knownAuthorities(): Promise<string[]> {
  const { getCACertificates } = await import('node:tls')
  known ??= [...getCACertificates('default'), ...getCACertificates('system')]
  return known
}

async function post(options: RequestOptions, octets: Buffer): Promise<DeliveryOutcome> {
  const { request } = await import('node:https') // 10 ms, for sites that need it
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      const { statusCode = 0, statusMessage } = response
      const isTaken = statusCode >= 200 && statusCode < 300
      const text = describe(statusCode, statusMessage)
      resolve(isTaken ? { kind: 'sent', text } : { kind: 'deferred', reason: text })
      response.destroy()
    })
    sent.on('error', reject)
    sent.end(octets)
  })
}

/** Never rejects. `signal` ends it before its time. */
export async function uploadReport(
  uploader: Uploader,
  url: URL,
  octets: Buffer,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  try {
    const addresses = await uploader.findAddresses(url.hostname)
    const [first] = addresses
    if (first === undefined) {
      return { kind: 'deferred', reason: `no address of ${url.hostname} that may be reached` }
    }
    return await post(
      {
        host: url.hostname,
        servername: url.hostname,
        port: url.port === '' ? 443 : Number(url.port),
        path: url.pathname + url.search,
        method: 'POST',
        agent: false,
        headers: {
          'content-type': 'application/tlsrpt+gzip',
          'content-length': octets.length,
          'user-agent': uploader.userAgent,
        },
        // the addresses that were judged are those that are used
        lookup: (_host, { all }, found) => {
          if (all === true) found(null, [...addresses])
          else found(null, first.address, first.family)
        },
        ca: uploader.authorities ?? (await knownAuthorities()),
        signal: AbortSignal.any([signal, AbortSignal.timeout(UPLOAD_TIMEOUT_MS)]),
      },
      octets,
    )
  } catch (error) {
    return { kind: 'deferred', reason: errorReason(error) }
  }
}
