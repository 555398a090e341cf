/**
 * secure-contexts - the contexts of OpenSSL that a client's connections are made from, one for each combination of settings
 *
 * Making one costs 0.3 ms and 24 KB, with the bundle of a system 8 ms and 1 MB; so they are kept.
 * Limits: MAX_CONTEXTS, the one that was not used for longest goes first. What differs among destinations comes from the
 * policy table: few of them.
 */
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { log } from '@posthorn/log/log'
import type { Identity } from './client-identity.ts'
import { logLibraryProblems } from './library-problem.ts'
import type { ProtocolRange } from './protocol-list.ts'
import { RecentMap } from './recent-map.ts'

const MAX_CONTEXTS = 32

export interface ContextSettings {
  readonly ciphers: string
  readonly protocols: ProtocolRange
  /** The authorities of main.cf; no: none, what the server sends is checked by records, or not at all. */
  readonly usesTrustStore: boolean
}

export interface ContextParts {
  readonly authorities: readonly string[]
  readonly identities: readonly Identity[]
  readonly groups: string
  /** SSL_OP bits. */
  readonly options: number
}

export class SecureContexts {
  readonly #parts: ContextParts
  readonly #known = new RecentMap<SecureContext>(MAX_CONTEXTS)

  constructor(parts: ContextParts) {
    this.#parts = parts
  }

  /** @throws {Error} no such cipher, as OpenSSL says it */
  find(settings: ContextSettings): SecureContext {
    const { ciphers, protocols, usesTrustStore } = settings
    const key = [
      ciphers,
      protocols.minVersion,
      protocols.maxVersion,
      protocols.options,
      usesTrustStore,
    ].join('\n')
    return this.#known.get(key, () => createSecureContext(this.#options(settings)))
  }

  #options({ ciphers, protocols, usesTrustStore }: ContextSettings): SecureContextOptions {
    const { authorities, identities, groups, options } = this.#parts
    return {
      // servers with TLS 1.0 or without certificates are reached at any level of security, as by Postfix
      ciphers: `${ciphers}:@SECLEVEL=0`,
      minVersion: protocols.minVersion,
      maxVersion: protocols.maxVersion,
      secureOptions: Number(BigInt(options) | BigInt(protocols.options)),
      // an empty list: not even those that Node.js brings
      ca: usesTrustStore ? [...authorities] : [],
      ecdhCurve: groups,
      ...(identities.length === 0
        ? {}
        : {
            key: identities.map(({ key }) => key),
            cert: identities.map(({ chain }) => chain),
          }),
    }
  }
}

/** Without any that is known. Those that OpenSSL 3.5 has built in begin with one that Postfix 3.7 never offers. */
const DEFAULT_GROUPS = 'X25519:prime256v1:X448:secp521r1:secp384r1'

/**
 * tls_eecdh_auto_curves for OpenSSL, with tls_ffdhe_auto_groups after them. Logs a warning for each name that is unknown.
 */
export function keyExchangeGroups(curves: string, groups = ''): string {
  const known = [...knownGroups(curves, 'ECDHE curve'), ...knownGroups(groups, 'FFDHE group')]
  return known.length === 0 ? DEFAULT_GROUPS : known.join(':')
}

function knownGroups(names: string, kind: string): string[] {
  return names.split(/[\s,]+/).filter((name) => {
    if (name === '') return false
    try {
      createSecureContext({ ecdhCurve: name, ca: [] })
      return true
    } catch {
      log.warning(`ignoring unknown ${kind} "${name}"`)
      return false
    }
  })
}

/** Keys that OpenSSL refuses although they fit their certificates. */
export function areUsable(
  identities: readonly Identity[],
  role: 'client' | 'server' = 'client',
): boolean {
  if (identities.length === 0) return true
  try {
    createSecureContext({
      ciphers: 'ALL:@SECLEVEL=0',
      ca: [],
      key: identities.map(({ key }) => key),
      cert: identities.map(({ chain }) => chain),
    })
    return true
  } catch (error) {
    log.warning(`cannot load ${role} certificate chain: disabling TLS support`)
    logLibraryProblems(error)
    return false
  }
}
