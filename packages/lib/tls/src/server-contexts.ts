/**
 * server-contexts - the contexts of OpenSSL that a server's connections are made from
 *
 * One for each combination of certificates (tls_server_sni_maps), ciphers and ticket key: a few, as two keys are of use at a time.
 * Limits: MAX_CONTEXTS, the one that was not used for longest goes first.
 */
import { constants as cryptography, createHash } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Identity } from './client-identity.ts'
import type { ProtocolRange } from './protocol-list.ts'
import { RecentMap } from './recent-map.ts'
import { NO_TICKET } from './ssl-options.ts'
import type { TicketKey } from './ticket-keys.ts'

const MAX_CONTEXTS = 32

/** The same for all connections. */
export interface ServerContextParts {
  readonly authorities: readonly string[]
  readonly protocols: ProtocolRange
  readonly groups: string
  readonly dhParameters: string
  /** SSL_OP bits. */
  readonly options: number
  /** Of a session; 0: as OpenSSL has it. */
  readonly timeoutSeconds: number
  /** Sessions go on where all settings are the same: up to 32 octets. */
  readonly sessionContext: string
}

export interface ServerContextSettings {
  readonly identities: readonly Identity[]
  readonly ciphers: string
  /** undefined: no tickets */
  readonly ticketKey: TicketKey | undefined
}

export class ServerContexts {
  readonly #parts: ServerContextParts
  readonly #known = new RecentMap<SecureContext>(MAX_CONTEXTS)

  constructor(parts: ServerContextParts) {
    this.#parts = parts
  }

  /** Who can have TLS 1.3 has it. */
  get speaksTls13(): boolean {
    const { maxVersion, options } = this.#parts.protocols
    return maxVersion === 'TLSv1.3' && (options & cryptography.SSL_OP_NO_TLSv1_3) === 0
  }

  /** @throws {Error} no such cipher, as OpenSSL says it */
  find(settings: ServerContextSettings): SecureContext {
    const { identities, ciphers, ticketKey } = settings
    const hash = createHash('sha256')
    for (const { key, chain } of identities) hash.update(key).update(chain)
    const key = [hash.digest('hex'), ticketKey?.name ?? '', ciphers].join('\n')
    return this.#known.get(key, () => this.#make(settings))
  }

  #make({ identities, ciphers, ticketKey }: ServerContextSettings): SecureContext {
    const { authorities, protocols, groups, dhParameters, options } = this.#parts
    const { timeoutSeconds, sessionContext } = this.#parts
    const ticketless = ticketKey === undefined ? BigInt(NO_TICKET) : 0n
    return createSecureContext({
      // clients with TLS 1.0 or without certificates are served as by Postfix
      ciphers: `${ciphers}:@SECLEVEL=0`,
      minVersion: protocols.minVersion,
      maxVersion: protocols.maxVersion,
      secureOptions: Number(BigInt(options) | BigInt(protocols.options) | ticketless),
      // an empty list: not even those that Node.js brings
      ca: [...authorities],
      ecdhCurve: groups,
      dhparam: dhParameters,
      sessionIdContext: sessionContext,
      ...(timeoutSeconds > 0 && { sessionTimeout: timeoutSeconds }),
      ...(ticketKey !== undefined && { ticketKeys: ticketKey.octets }),
      ...(identities.length > 0 && {
        key: identities.map(({ key }) => key),
        cert: identities.map(({ chain }) => chain),
      }),
    })
  }
}
