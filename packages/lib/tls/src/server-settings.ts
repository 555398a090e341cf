/**
 * server-settings - what main.cf says about TLS servers: smtpd_tls_... for smtpd(8), tlsproxy_tls_... for tlsproxy(8)
 *
 * Source: Postfix 3.7 postconf(5), tlsproxy(8).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { TLS_LEVELS, type TlsClientInit } from '@posthorn/wire/tlsproxy-protocol'
import { readClientParams } from './client-params.ts'
import type { TlsServerInit, TlsServerSettings } from './server-engine.ts'

/** With which parameters begin. */
export type ServerPrefix = 'smtpd' | 'tlsproxy'

type TlsPrefix = `${ServerPrefix}_tls`

/** Warns of what makes no sense. @returns undefined: main.cf does not ask for TLS */
export function readServerSettings(
  config: MainConfig,
  prefix: ServerPrefix,
): TlsServerSettings | undefined {
  const tls: TlsPrefix = `${prefix}_tls`
  const level = serverLevel(config, tls)
  if (level === TLS_LEVELS.none) return undefined
  const isMandatory = level >= TLS_LEVELS.encrypt
  const isRequired = config.boolean(`${tls}_req_ccert`)
  if (isRequired && !isMandatory) {
    log.warning("Can't require client certs unless TLS is required")
  }
  const idsParameter = `${tls}_always_issue_session_ids` as const
  if (!config.boolean(idsParameter)) log.warning(`${idsParameter} = no has no effect`)
  const requiresCertificate = isRequired && isMandatory
  const asksForCertificate = requiresCertificate || config.boolean(`${tls}_ask_ccert`)
  const { protocols, grade, exclusions } = strength(config, tls, isMandatory)
  return {
    params: readClientParams(config),
    init: {
      ...identityFields(config, tls),
      protocols,
      asksForCertificate,
      dhParameterFile: config.text(`${tls}_dh1024_param_file`),
      ffdheGroups: config.text('tls_ffdhe_auto_groups'),
      sniMaps: config.text('tls_server_sni_maps'),
      awaitsPeerClose: !config.boolean('tls_fast_shutdown_enable'),
    },
    level,
    cipherGrade: grade,
    // who asks for a certificate does not do without one of his own
    cipherExclusions: [...exclusions, ...(asksForCertificate ? ['aNULL'] : [])]
      .filter((list) => list !== '')
      .join(', '),
    requiresCertificate,
  }
}

function serverLevel(config: MainConfig, tls: TlsPrefix): number {
  const parameter = `${tls}_security_level` as const
  const level = config.keyword(parameter)
  switch (level) {
    case 'none':
      return TLS_LEVELS.none
    case 'may':
      return TLS_LEVELS.may
    case 'encrypt':
      return TLS_LEVELS.encrypt
    case 'fingerprint':
    case 'verify':
    case 'secure':
      // levels of clients
      log.warning(
        `${parameter}: unsupported TLS level "${config.text(parameter)}", using "encrypt"`,
      )
      return TLS_LEVELS.encrypt
    case '':
      return oldLevel(config, tls === 'smtpd_tls')
  }
}

/** Of the parameters that security levels have replaced. */
function oldLevel(config: MainConfig, isSmtpd: boolean): number {
  if (config.boolean(isSmtpd ? 'smtpd_enforce_tls' : 'tlsproxy_enforce_tls')) {
    return TLS_LEVELS.encrypt
  }
  const uses = config.boolean(isSmtpd ? 'smtpd_use_tls' : 'tlsproxy_use_tls')
  return uses ? TLS_LEVELS.may : TLS_LEVELS.none
}

interface Strength {
  readonly protocols: string
  readonly grade: string
  readonly exclusions: readonly string[]
}

function strength(config: MainConfig, tls: TlsPrefix, isMandatory: boolean): Strength {
  const exclusions = config.text(`${tls}_exclude_ciphers`)
  if (!isMandatory) {
    return {
      protocols: config.text(`${tls}_protocols`),
      grade: config.text(`${tls}_ciphers`),
      exclusions: [exclusions],
    }
  }
  return {
    protocols: config.text(`${tls}_mandatory_protocols`),
    grade: config.text(`${tls}_mandatory_ciphers`),
    exclusions: [exclusions, config.text(`${tls}_mandatory_exclude_ciphers`)],
  }
}

function identityFields(config: MainConfig, tls: TlsPrefix): TlsClientInit {
  return {
    logParameter: `${tls}_loglevel`,
    logLevel: config.text(`${tls}_loglevel`),
    verifyDepth: config.integer(`${tls}_ccert_verifydepth`),
    cacheType: 'smtpd',
    chainFiles: config.text(`${tls}_chain_files`),
    certFile: config.text(`${tls}_cert_file`),
    keyFile: config.text(`${tls}_key_file`),
    dsaCertFile: config.text(`${tls}_dcert_file`),
    dsaKeyFile: config.text(`${tls}_dkey_file`),
    ecCertFile: config.text(`${tls}_eccert_file`),
    ecKeyFile: config.text(`${tls}_eckey_file`),
    caFile: config.text(`${tls}_CAfile`),
    caPath: config.text(`${tls}_CApath`),
    digest: config.text(`${tls}_fingerprint_digest`),
  }
}

/**
 * Postfix 3.7 postconf(5) smtpd_tls_cert_file: without a certificate there is no TLS, unless it is `none` on purpose; then
 * clients cannot be asked for theirs, which is warned of.
 */
export function hasCertificates(init: TlsServerInit): boolean {
  const { chainFiles, certFile, dsaCertFile, ecCertFile, asksForCertificate } = init
  const hasSome = [chainFiles, certFile, dsaCertFile, ecCertFile].some(
    (files) => files !== '' && files !== 'none',
  )
  if (hasSome || certFile !== 'none') return hasSome
  if (asksForCertificate) log.warning('Need a server cert to request client certs')
  return !asksForCertificate
}
