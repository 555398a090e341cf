/**
 * smtpd-settings - what main.cf says to an SMTP session, read once per process
 *
 * Names of parameters occur here and nowhere else in this daemon, except for restriction lists and tables
 * (restrictions/policy.ts).
 */
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import { externalMailFlags, CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'

import type { ProxyFilterSettings } from './proxy-filter.ts'
import type { ProxyHeaderOptions } from './proxy-header.ts'
import { parseEndpoint } from './service-endpoint.ts'

export type BareNewlineMode = 'no' | 'normalize' | 'reject'

export interface SmtpdSettings {
  hostname: string
  mailName: string
  greeting: string
  isSoftBounce: boolean
  /** Octets; 0 = no limit. */
  messageSizeLimit: number
  queueMinFree: number
  lineLengthLimit: number
  timeoutMs: number
  /** The time limit is for a whole request, not for each read; octets per second that content must bring. */
  isRequestDeadline: boolean
  leastDataRate: number
  recipientLimit: number
  recipientOvershootLimit: number
  softErrorLimit: number
  hardErrorLimit: number
  errorSleepMs: number
  junkCommandLimit: number
  isHeloRequired: boolean
  isVrfyDisabled: boolean
  isUtf8Enabled: boolean
  isUtf8Strict: boolean
  isStrictEnvelope: boolean
  isDelayReject: boolean
  isDelayOpen: boolean
  bareNewline: BareNewlineMode
  bareNewlineRejectCode: number
  isPipeliningForbidden: boolean
  isPeerNameLookedUp: boolean
  isPortLogged: boolean
  isReceivedHidden: boolean
  cleanupPath: string
  flushPath: string
  /** For local users: smtpd -S. */
  postdropPath: string
  configDirectory: string
  cleanupFlags: number
  ipcTimeoutMs: number
  contentFilter: string
  /** Mail is accepted over TLS only; as there is none, not at all. */
  isTlsRequired: boolean
  /** TLS from the first octet. */
  isTlsWrapped: boolean
  /** A filter before the queue. */
  proxyFilter: ProxyFilterSettings | undefined
  hasIpv6: boolean
  /** A load balancer says who the client is. */
  proxyProtocol: ProxyHeaderOptions | undefined
  verpDelimiters: string
  verpFilter: string
}

/** Without the flag for Milters: where smtpd(8) asks none itself, cleanup(8) would ask those that are for other mail. */
function cleanupFlags(config: MainConfig): number {
  const overridden = config.flags('receive_override_options')
  let flags = (externalMailFlags & ~CLEANUP_FLAGS.milter) | CLEANUP_FLAGS.smtpReply
  if (overridden.has('no_address_mappings')) flags &= ~(CLEANUP_FLAGS.map | CLEANUP_FLAGS.bcc)
  if (overridden.has('no_header_body_checks')) flags &= ~CLEANUP_FLAGS.filter
  return flags
}

function bareNewlineMode(config: MainConfig): BareNewlineMode {
  const word = config.keyword('smtpd_forbid_bare_newline')
  return word === 'yes' ? 'normalize' : word || 'no'
}

function proxyProtocol(config: MainConfig, hasIpv6: boolean): ProxyHeaderOptions | undefined {
  const protocol = config.text('smtpd_upstream_proxy_protocol')
  if (protocol === '') return undefined
  if (protocol !== 'haproxy') throw new ConfigError(`unsupported protocol name: ${protocol}`)
  return { timeoutMs: config.seconds('smtpd_upstream_proxy_timeout') * 1000, hasIpv6 }
}

function proxyFilter(config: MainConfig): ProxyFilterSettings | undefined {
  const name = config.text('smtpd_proxy_filter')
  if (name === '') return undefined
  return {
    name,
    endpoint: parseEndpoint(name, 'smtpd_proxy_filter'),
    timeoutMs: config.seconds('smtpd_proxy_timeout') * 1000,
    helo: config.text('smtpd_proxy_ehlo'),
  }
}

/** A level that we do not know is more than `may`. */
export function isTlsRequired(config: MainConfig): boolean {
  const level = config.text('smtpd_tls_security_level').toLowerCase()
  return level === '' ? config.boolean('smtpd_enforce_tls') : !['none', 'may'].includes(level)
}

/** @throws {ConfigError} */
export function readSmtpdSettings(config: MainConfig): SmtpdSettings {
  const hostname = config.text('myhostname')
  const hasIpv6 = config.list('inet_protocols').some((word) => word === 'ipv6' || word === 'all')
  return {
    hostname,
    mailName: config.text('mail_name'),
    greeting: `220 ${config.text('smtpd_banner')}`,
    isSoftBounce: config.boolean('soft_bounce'),
    messageSizeLimit: config.integer('message_size_limit'),
    queueMinFree: config.integer('queue_minfree'),
    lineLengthLimit: config.integer('line_length_limit'),
    timeoutMs: config.seconds('smtpd_timeout') * 1000,
    isRequestDeadline: config.boolean('smtpd_per_request_deadline'),
    leastDataRate: config.integer('smtpd_min_data_rate'),
    recipientLimit: config.integer('smtpd_recipient_limit'),
    recipientOvershootLimit: config.integer('smtpd_recipient_overshoot_limit'),
    softErrorLimit: config.integer('smtpd_soft_error_limit'),
    hardErrorLimit: config.integer('smtpd_hard_error_limit'),
    errorSleepMs: config.seconds('smtpd_error_sleep_time') * 1000,
    junkCommandLimit: config.integer('smtpd_junk_command_limit'),
    isHeloRequired: config.boolean('smtpd_helo_required'),
    isVrfyDisabled: config.boolean('disable_vrfy_command'),
    isUtf8Enabled: config.boolean('smtputf8_enable'),
    isUtf8Strict: config.boolean('strict_smtputf8'),
    isStrictEnvelope: config.boolean('strict_rfc821_envelopes'),
    isDelayReject: config.boolean('smtpd_delay_reject'),
    isDelayOpen: config.boolean('smtpd_delay_open_until_valid_rcpt'),
    bareNewline: bareNewlineMode(config),
    bareNewlineRejectCode: config.integer('smtpd_forbid_bare_newline_reject_code'),
    isPipeliningForbidden: config.boolean('smtpd_forbid_unauth_pipelining'),
    isPeerNameLookedUp: config.boolean('smtpd_peername_lookup'),
    isPortLogged: config.boolean('smtpd_client_port_logging'),
    isReceivedHidden: config.boolean('smtpd_hide_client_session'),
    cleanupPath: `public/${config.text('cleanup_service_name')}`,
    cleanupFlags: cleanupFlags(config),
    postdropPath: `${config.text('command_directory')}/postdrop`,
    configDirectory: config.directory,
    flushPath: `public/${config.text('flush_service_name')}`,
    ipcTimeoutMs: config.seconds('ipc_timeout') * 1000,
    isTlsRequired: isTlsRequired(config),
    isTlsWrapped: config.boolean('smtpd_tls_wrappermode'),
    proxyFilter: proxyFilter(config),
    contentFilter: config.text('content_filter'),
    hasIpv6,
    proxyProtocol: proxyProtocol(config, hasIpv6),
    verpDelimiters: config.text('default_verp_delimiters'),
    verpFilter: config.text('verp_delimiter_filter'),
  }
}
