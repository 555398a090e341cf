/**
 * tls-options - what main.cf says about TLS, for smtp(8) or lmtp(8), read once
 *
 * The groups `params` and `init` have the shape in which tlsproxy(8) gets them (@posthorn/wire/tlsproxy-protocol): the TLS
 * engine is told the same, whether it runs there or in this process.
 *
 * The level of all destinations comes from smtp_tls_security_level or, where that is empty, from what it replaced:
 * smtp_enforce_tls with smtp_tls_enforce_peername, and smtp_use_tls. Source: Postfix 3.7 smtp(8), TLS_README.
 */
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import { readClientParams } from '@posthorn/tls/client-params'
import { log } from '@posthorn/log/log'
import { parseTlsLogLevel } from '@posthorn/tls/tls-log-level'
import {
  TLS_LEVELS,
  type TlsClientInit,
  type TlsClientParams,
} from '@posthorn/wire/tlsproxy-protocol'
import type { Protocol } from './client-options.ts'

/** What becomes of a TLS connection after a delivery: see smtp_tls_connection_reuse in docs/differences.md. */
export type TlsReuse = 'auto' | 'yes' | 'no'

/** Protocols and ciphers for one kind of level. */
export interface CipherRules {
  readonly protocols: string
  readonly grade: string
}

export interface TlsOptions {
  /** TLS_LEVELS */
  readonly level: number
  readonly usesWrapper: boolean
  readonly blocksEarlyReply: boolean
  /** For the reply to STARTTLS, and for the handshake. */
  readonly timeoutSeconds: number
  readonly reuse: TlsReuse
  readonly optional: CipherRules
  readonly mandatory: CipherRules
  /** Ciphers, at every level. */
  readonly exclusions: string
  /** In addition at encrypt and above. */
  readonly mandatoryExclusions: string
  readonly fingerprints: readonly string[]
  readonly verifyMatch: readonly string[]
  readonly secureMatch: readonly string[]
  readonly anchorFiles: readonly string[]
  readonly serverName: string
  /** TLS_LEVELS: of MX hosts with TLSA records for a destination whose MX records are not DNSSEC-validated. */
  readonly insecureMxLevel: number
  readonly forcesTlsaLookup: boolean
  readonly dnssecProbe: string
  /** smtp_tls_enforce_sts_mx_patterns */
  readonly enforcesMxPatterns: boolean
  /** smtp_tls_loglevel: a line for each connection. */
  readonly logsSummary: boolean
  /** smtp_tls_loglevel: TLSA records, and what stands for them, are logged. */
  readonly logsRecords: boolean
  readonly params: TlsClientParams
  readonly init: TlsClientInit
}

const LEVEL_NAMES = new Map<string, number>([
  ['none', TLS_LEVELS.none],
  ['may', TLS_LEVELS.may],
  ['encrypt', TLS_LEVELS.encrypt],
  ['fingerprint', TLS_LEVELS.fingerprint],
  ['dane', TLS_LEVELS.dane],
  ['dane-only', TLS_LEVELS.daneOnly],
  ['verify', TLS_LEVELS.verify],
  ['secure', TLS_LEVELS.secure],
])

/** Letter case does not matter. Undefined: no level that an administrator can ask for. */
export function findTlsLevel(name: string): number | undefined {
  return LEVEL_NAMES.get(name.toLowerCase())
}

/** As in messages. */
export function tlsLevelName(level: number): string {
  if (level === TLS_LEVELS.halfDane) return 'half-dane'
  for (const [name, number] of LEVEL_NAMES) if (number === level) return name
  return String(level)
}

export function isTlsRequired(level: number): boolean {
  return level > TLS_LEVELS.may
}

/** The certificate has to be the right one. */
export function needsMatch(level: number): boolean {
  return level > TLS_LEVELS.encrypt
}

function globalLevel(config: MainConfig, name: Protocol): number {
  const level = config.keyword(`${name}_tls_security_level`)
  if (level !== '') return findTlsLevel(level) ?? TLS_LEVELS.none
  if (config.boolean(`${name}_enforce_tls`)) {
    return config.boolean(`${name}_tls_enforce_peername`) ? TLS_LEVELS.verify : TLS_LEVELS.encrypt
  }
  return config.boolean(`${name}_use_tls`) ? TLS_LEVELS.may : TLS_LEVELS.none
}

/** It goes by TLSA records. */
export function isDaneLevel(level: number): boolean {
  return level === TLS_LEVELS.dane || level === TLS_LEVELS.daneOnly
}

/** Undefined: no destination can have TLS. @throws {ConfigError} a value that makes no sense */
export function readTlsOptions(config: MainConfig, name: Protocol): TlsOptions | undefined {
  const level = globalLevel(config, name)
  const hasPolicies = config.text(`${name}_tls_policy_maps`) !== ''
  const hasSites = config.text(`${name}_tls_per_site`) !== ''
  if (hasPolicies && hasSites) {
    log.warning(`${name}_tls_per_site ignored when ${name}_tls_policy_maps is not empty.`)
  }
  const usesWrapper = config.boolean(`${name}_tls_wrappermode`)
  if (level === TLS_LEVELS.none && !hasPolicies && !hasSites && !usesWrapper) return undefined
  const init = readTlsInit(config, name)
  const features = parseTlsLogLevel(init.logLevel, init.logParameter)
  const insecureMx = config.keyword('smtp_tls_dane_insecure_mx_policy')
  const insecureMxLevel = findTlsLevel(insecureMx)
  if (insecureMxLevel === undefined) {
    throw new ConfigError(`invalid smtp_tls_dane_insecure_mx_policy: "${insecureMx}"`)
  }
  return {
    level,
    usesWrapper,
    blocksEarlyReply: config.boolean(`${name}_tls_block_early_mail_reply`),
    timeoutSeconds: config.seconds(`${name}_starttls_timeout`),
    reuse: config.keyword(`${name}_tls_connection_reuse`) || 'auto',
    optional: {
      protocols: config.text(`${name}_tls_protocols`),
      grade: config.text(`${name}_tls_ciphers`),
    },
    mandatory: {
      protocols: config.text(`${name}_tls_mandatory_protocols`),
      grade: config.text(`${name}_tls_mandatory_ciphers`),
    },
    exclusions: config.text(`${name}_tls_exclude_ciphers`),
    mandatoryExclusions: config.text(`${name}_tls_mandatory_exclude_ciphers`),
    fingerprints: config.list(`${name}_tls_fingerprint_cert_match`),
    verifyMatch: splitMatch(config.text(`${name}_tls_verify_cert_match`)),
    secureMatch: splitMatch(config.text(`${name}_tls_secure_cert_match`)),
    anchorFiles: config.list(`${name}_tls_trust_anchor_file`),
    serverName: config.text(`${name}_tls_servername`),
    insecureMxLevel,
    forcesTlsaLookup: config.boolean(`${name}_tls_force_insecure_host_tlsa_lookup`),
    dnssecProbe: config.text('dnssec_probe'),
    enforcesMxPatterns: config.boolean(`${name}_tls_enforce_sts_mx_patterns`),
    logsSummary: features.has('summary'),
    logsRecords: features.has('dane'),
    params: readClientParams(config),
    init,
  }
}

/** Names in a list of main.cf, where colons separate too. */
function splitMatch(text: string): readonly string[] {
  return text.split(/[\s,:]+/).filter((word) => word !== '')
}

function readTlsInit(config: MainConfig, name: Protocol): TlsClientInit {
  return {
    logParameter: `${name}_tls_loglevel`,
    logLevel: config.text(`${name}_tls_loglevel`),
    verifyDepth: config.integer(`${name}_tls_scert_verifydepth`),
    cacheType: name,
    chainFiles: config.text(`${name}_tls_chain_files`),
    certFile: config.text(`${name}_tls_cert_file`),
    keyFile: config.text(`${name}_tls_key_file`),
    dsaCertFile: config.text(`${name}_tls_dcert_file`),
    dsaKeyFile: config.text(`${name}_tls_dkey_file`),
    ecCertFile: config.text(`${name}_tls_eccert_file`),
    ecKeyFile: config.text(`${name}_tls_eckey_file`),
    caFile: config.text(`${name}_tls_CAfile`),
    caPath: config.text(`${name}_tls_CApath`),
    digest: config.text(`${name}_tls_fingerprint_digest`),
  }
}
