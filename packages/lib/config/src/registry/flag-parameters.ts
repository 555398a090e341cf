/**
 * flag-parameters - every parameter whose value is a set of words
 *
 * Hand-maintained data. `since` marks names that are newer than Postfix 3.7. Source: Postfix 3.7 postconf(5).
 */
import type { KeywordSpec } from '../parameter-spec.ts'

const MAIL_FORMS = ['alias', 'forward', 'include'] as const
const ADDRESS_PLACES = [
  'envelope_sender',
  'envelope_recipient',
  'header_sender',
  'header_recipient',
] as const
const EHLO_KEYWORDS = [
  '8bitmime',
  'auth',
  'chunking',
  'dsn',
  'enhancedstatuscodes',
  'etrn',
  'pipelining',
  'requiretls',
  'silent-discard',
  'size',
  'smtputf8',
  'starttls',
  'verp',
  'vrfy',
  'xclient',
  'xforward',
] as const
const RESOLVER_OPTIONS = ['res_defnames', 'res_dnsrch'] as const
const PIX_WORKAROUNDS = ['disable_esmtp', 'delay_dotcrlf'] as const
const TLS_LOG_LEVELS = [
  '0',
  '1',
  '2',
  '3',
  '4',
  'none',
  'routine',
  'debug',
  'ssl-expert',
  'ssl-developer',
  'summary',
  'untrusted',
  'peercert',
  'certmatch',
  'verbose',
  'cache',
  'dane',
  'ssl-debug',
  'ssl-handshake-packet-dump',
  'ssl-session-packet-dump',
  'trace',
] as const
const LOCK_KINDS = ['flock', 'fcntl', 'dotlock'] as const
const HOST_LOOKUPS = ['dns', 'native'] as const

export const FLAG_PARAMETERS = {
  allow_mail_to_commands: { default: 'alias, forward', values: MAIL_FORMS },
  allow_mail_to_files: { default: 'alias, forward', values: MAIL_FORMS },
  canonical_classes: {
    default: 'envelope_sender, envelope_recipient, header_sender, header_recipient',
    values: ADDRESS_PLACES,
    min: 1,
  },
  inet_protocols: { default: 'all', values: ['all', 'ipv4', 'ipv6'] },
  internal_mail_filter_classes: { default: '', values: ['notify', 'bounce'] },
  lmtp_discard_lhlo_keywords: { default: '', values: EHLO_KEYWORDS, isLenient: true },
  lmtp_dns_resolver_options: { default: '', values: RESOLVER_OPTIONS },
  lmtp_host_lookup: { default: 'dns', values: HOST_LOOKUPS, min: 1 },
  lmtp_pix_workarounds: {
    default: 'disable_esmtp,delay_dotcrlf',
    values: PIX_WORKAROUNDS,
    isLenient: true,
  },
  lmtp_tls_loglevel: { default: '0', values: TLS_LOG_LEVELS, isLenient: true },
  mailbox_delivery_lock: { default: 'fcntl, dotlock', values: LOCK_KINDS, min: 1 },
  masquerade_classes: {
    default: 'envelope_sender, header_sender, header_recipient',
    values: ADDRESS_PLACES,
  },
  notify_classes: {
    default: 'resource, software',
    values: ['bounce', '2bounce', 'data', 'delay', 'policy', 'protocol', 'resource', 'software'],
  },
  postscreen_discard_ehlo_keywords: {
    default: '$smtpd_discard_ehlo_keywords',
    values: EHLO_KEYWORDS,
    isLenient: true,
  },
  postscreen_tls_loglevel: {
    default: '$smtpd_tls_loglevel',
    values: TLS_LOG_LEVELS,
    since: '3.12',
    isLenient: true,
  },
  prepend_delivered_header: {
    default: 'command, file, forward',
    values: ['command', 'file', 'forward'],
  },
  propagate_unmatched_extensions: {
    default: 'canonical, virtual',
    values: ['canonical', 'virtual', 'alias', 'forward', 'include', 'generic'],
  },
  receive_override_options: {
    default: '',
    values: [
      'no_unknown_recipient_checks',
      'no_address_mappings',
      'no_header_body_checks',
      'no_milters',
    ],
  },
  recipient_canonical_classes: {
    default: 'envelope_recipient, header_recipient',
    values: ['envelope_recipient', 'header_recipient'],
    min: 1,
  },
  sender_canonical_classes: {
    default: 'envelope_sender, header_sender',
    values: ['envelope_sender', 'header_sender'],
    min: 1,
  },
  smtp_discard_ehlo_keywords: { default: '', values: EHLO_KEYWORDS, isLenient: true },
  smtp_dns_resolver_options: { default: '', values: RESOLVER_OPTIONS },
  smtp_host_lookup: { default: 'dns', values: HOST_LOOKUPS, min: 1 },
  smtp_pix_workarounds: {
    default: 'disable_esmtp,delay_dotcrlf',
    values: PIX_WORKAROUNDS,
    isLenient: true,
  },
  smtp_tls_loglevel: { default: '0', values: TLS_LOG_LEVELS, isLenient: true },
  smtpd_discard_ehlo_keywords: { default: '', values: EHLO_KEYWORDS, isLenient: true },
  smtpd_proxy_options: { default: '', values: ['speed_adjust'] },
  smtpd_tls_loglevel: { default: '0', values: TLS_LOG_LEVELS, isLenient: true },
  smtputf8_autodetect_classes: {
    default: 'sendmail, verify',
    values: ['sendmail', 'smtpd', 'qmqpd', 'forward', 'bounce', 'notify', 'verify', 'all'],
    min: 1,
  },
  tls_disable_workarounds: {
    default: '',
    values: [
      'MICROSOFT_SESS_ID_BUG',
      'NETSCAPE_CHALLENGE_BUG',
      'LEGACY_SERVER_CONNECT',
      'NETSCAPE_REUSE_CIPHER_CHANGE_BUG',
      'CVE-2010-4180',
      'SSLREF2_REUSE_CERT_TYPE_BUG',
      'MICROSOFT_BIG_SSLV3_BUFFER',
      'MSIE_SSLV2_RSA_PADDING',
      'CVE-2005-2969',
      'SSLEAY_080_CLIENT_DH_BUG',
      'TLS_D5_BUG',
      'TLS_BLOCK_PADDING_BUG',
      'TLS_ROLLBACK_BUG',
      'DONT_INSERT_EMPTY_FRAGMENTS',
      'CRYPTOPRO_TLSEXT_BUG',
      'TLSEXT_PADDING',
    ],
    isLenient: true,
  },
  tls_ssl_options: {
    default: '',
    values: [
      'LEGACY_SERVER_CONNECT',
      'NO_TICKET',
      'NO_COMPRESSION',
      'NO_RENEGOTIATION',
      'NO_SESSION_RESUMPTION_ON_RENEGOTIATION',
      'PRIORITIZE_CHACHA',
      'ENABLE_MIDDLEBOX_COMPAT',
    ],
    isLenient: true,
  },
  tlsproxy_client_loglevel: {
    default: '$smtp_tls_loglevel',
    values: TLS_LOG_LEVELS,
    isLenient: true,
  },
  tlsproxy_tls_loglevel: {
    default: '$smtpd_tls_loglevel',
    values: TLS_LOG_LEVELS,
    isLenient: true,
  },
  virtual_mailbox_lock: { default: 'fcntl, dotlock', values: LOCK_KINDS, min: 1 },
} as const satisfies Record<string, KeywordSpec>
