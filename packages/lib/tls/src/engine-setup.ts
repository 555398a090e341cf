/**
 * engine-setup - what is the same when a client's and a server's engine open
 *
 * What cannot be used disables TLS support, as in Postfix, and is in the log.
 */
import { log } from '@posthorn/log/log'
import type { TlsClientInit, TlsClientParams } from '@posthorn/wire/tlsproxy-protocol'
import { openIdentities, type Identity } from './client-identity.ts'
import { isConfigFileUsable } from './config-file.ts'
import { isDigest } from './fingerprint.ts'
import { areUsable } from './secure-contexts.ts'
import { parseTlsLogLevel, type TlsLogFeatures } from './tls-log-level.ts'
import { openTrustStore } from './trust-store.ts'

export type Role = 'client' | 'server'

/** @returns undefined: TLS support is disabled, which has been logged */
export async function beginSetup(
  params: TlsClientParams,
  init: TlsClientInit,
  role: Role,
): Promise<TlsLogFeatures | undefined> {
  const features = parseTlsLogLevel(init.logLevel, init.logParameter)
  if (features.has('verbose')) log.info(`initializing the ${role}-side TLS engine`)
  if (!(await isConfigFileUsable(params.configFile))) return undefined
  if (isDigest(init.digest)) return features
  log.warning(`Digest algorithm "${init.digest}" not found`)
  log.warning('disabling TLS support')
  return undefined
}

/** Whom we trust, and who we are. */
export interface EngineFiles {
  readonly authorities: readonly string[]
  readonly identities: readonly Identity[]
}

/** @returns undefined: TLS support is disabled, which has been logged */
export async function readEngineFiles(
  params: TlsClientParams,
  init: TlsClientInit,
  role: Role,
): Promise<EngineFiles | undefined> {
  const { caFile, caPath } = init
  const appendsDefaultCa = params.appendsDefaultCa !== 0
  const authorities = await openTrustStore({ caFile, caPath, appendsDefaultCa })
  if (authorities === undefined) return undefined
  const identities = await openIdentities(init)
  if (identities === undefined || !areUsable(identities, role)) return undefined
  return { authorities, identities }
}
