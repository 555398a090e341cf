/**
 * policy-fetcher - gets the policy file of a domain over HTTPS
 *
 *     GET https://mta-sts.DOMAIN/.well-known/mta-sts.txt
 *
 * The server is whom the domain's DNS names, so it may be anybody, or anything in our own network: before it has shown a
 * certificate for that name it hears a ClientHello and nothing else, afterwards one GET of one path. Redirects are not followed, nothing is kept
 * of the reply but the text of a policy, and nothing of it is logged.
 *
 * Limits: `timeoutMs` for all of it, addresses included; 64 KB of text, 16 KB of headers.
 * Source: RFC 8461 3.3.
 */
import type { IncomingMessage } from 'node:http'
import { Agent, request as startRequest } from 'node:https'
import type { SecureContext } from 'node:tls'
import type { Resolver } from '@posthorn/dns/resolver'
import { errorCode, errorReason } from '@posthorn/native/system-error'
import { PolicyError } from './mtasts-error.ts'
import { findAddresses, isCertificateOf, lookupOf, type HostAddress } from './policy-host.ts'

export interface FetcherOptions {
  readonly resolver: Resolver
  readonly families: ReadonlySet<4 | 6>
  /** Whom to trust, and TLS 1.2 at least. */
  readonly context: SecureContext
  /** 443, except for tests. */
  readonly port: number
  readonly timeoutMs: number
}

/** The text of the policy file, as octets. @throws {PolicyError} */
export type FetchPolicy = (domain: string) => Promise<string>

const PATH = '/.well-known/mta-sts.txt'
/** RFC 8461 3.3: a suggested maximum of 64 kilobytes. */
const TEXT_LIMIT_OCTETS = 65_536
const HEADERS_LIMIT_OCTETS = 16_384
/** When a host has several addresses. */
const ADDRESS_TIMEOUT_MS = 5000

export function makeFetcher(options: FetcherOptions): FetchPolicy {
  // one connection for each policy, and a whole handshake: a session that is resumed shows no certificate
  const agent = new Agent({
    keepAlive: false,
    maxCachedSessions: 0,
    secureContext: options.context,
    rejectUnauthorized: true,
    autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
  })
  return async (domain) => {
    const host = `mta-sts.${domain}`
    const signal = AbortSignal.timeout(options.timeoutMs)
    const late = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => {
        const seconds = Math.ceil(options.timeoutMs / 1000)
        reject(fetchError(`${host}: no policy within ${seconds} seconds`))
      })
    })
    const get = async (): Promise<string> => {
      const addresses = await findAddresses(options.resolver, host, options.families)
      signal.throwIfAborted()
      return readText(
        host,
        await getResponse(host, addresses, { agent, port: options.port, signal }),
      )
    }
    return Promise.race([get(), late])
  }
}

async function getResponse(
  host: string,
  addresses: readonly HostAddress[],
  { agent, port, signal }: { agent: Agent; port: number; signal: AbortSignal },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = startRequest(
      {
        host,
        servername: host,
        port,
        path: PATH,
        headers: { accept: 'text/plain' },
        agent,
        lookup: lookupOf(addresses),
        checkServerIdentity: (_host, { raw }) =>
          isCertificateOf(host, raw)
            ? undefined
            : new PolicyError('sts-webpki-invalid', `${host}: the certificate is for another name`),
        maxHeaderSize: HEADERS_LIMIT_OCTETS,
        signal,
      },
      resolve,
    )
    request.on('error', (error) => {
      reject(describe(host, error))
    })
    request.end()
  })
}

async function readText(host: string, response: IncomingMessage): Promise<string> {
  try {
    checkHeaders(host, response)
    const pieces: Buffer[] = []
    let octets = 0
    for await (const piece of response as AsyncIterable<Buffer>) {
      octets += piece.length
      if (octets > TEXT_LIMIT_OCTETS) {
        throw fetchError(`${host}: the policy has more than ${TEXT_LIMIT_OCTETS} octets`)
      }
      pieces.push(piece)
    }
    return Buffer.concat(pieces).toString('latin1')
  } catch (error) {
    throw error instanceof PolicyError ? error : describe(host, error)
  } finally {
    response.destroy()
  }
}

/** RFC 8461 3.2, 3.3: status 200 and no other, no redirects, text/plain. */
function checkHeaders(host: string, { statusCode = 0, headers }: IncomingMessage): void {
  if (statusCode !== 200) throw fetchError(`${host}: HTTP status ${statusCode}, not 200`)
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  if (type.trim().toLowerCase() !== 'text/plain') {
    throw fetchError(`${host}: the media type is not text/plain`)
  }
}

function fetchError(message: string, cause?: unknown): PolicyError {
  return new PolicyError('sts-policy-fetch-error', message, { cause })
}

/** OpenSSL's names for what is wrong with a certificate, as node:tls gives them. */
const CERTIFICATE_CODES =
  /^(?:CERT_|CRL_|DEPTH_ZERO_|ERROR_IN_C|HOSTNAME_|INVALID_|PATH_LENGTH_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_)/

function describe(host: string, error: unknown): PolicyError {
  if (error instanceof PolicyError) return error
  // of several addresses, the first
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error
  const code = errorCode(first) ?? ''
  if (CERTIFICATE_CODES.test(code)) {
    const words = code.toLowerCase().replaceAll('_', ' ')
    const message = `${host}: the certificate cannot be verified: ${words}`
    return new PolicyError('sts-webpki-invalid', message, { cause: error })
  }
  // codes and the words of strerror(3): what the server says is not among them
  const reason = typeof Reflect.get(Object(first), 'errno') === 'number' ? errorReason(first) : code
  return fetchError(`${host}: ${reason === '' ? 'no reply' : reason}`, error)
}
