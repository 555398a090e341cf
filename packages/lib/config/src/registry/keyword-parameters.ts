/**
 * keyword-parameters - every parameter whose value is one word of a list
 *
 * Hand-maintained data. `since` marks names that are newer than Postfix 3.7. Source: Postfix 3.7 postconf(5).
 */
import type { KeywordSpec } from '../parameter-spec.ts'

const ADDRESS_FAMILIES = ['any', 'ipv4', 'ipv6'] as const
const PROBE_TARGETS = ['rcpt', 'data'] as const
const DNS_LEVELS = ['disabled', 'enabled', 'dnssec'] as const
const TLS_CIPHER_GRADES = ['high', 'medium', 'low', 'export', 'null'] as const
const CLIENT_TLS_LEVELS = [
  'none',
  'may',
  'encrypt',
  'fingerprint',
  'dane',
  'dane-only',
  'verify',
  'secure',
] as const
const SCREEN_ACTIONS = ['drop', 'enforce', 'ignore'] as const
const CURVE_GRADES = ['auto', 'none', 'strong', 'ultra'] as const
const SERVER_TLS_LEVELS = ['none', 'may', 'encrypt', 'fingerprint', 'verify', 'secure'] as const
const TEMPFAIL_ACTIONS = ['defer', 'defer_if_permit'] as const

/** What the SMTP client says of these. */
const INVALID = 'invalid %n: "%v"'
const BAD_STAGE = 'bad protocol stage: "%n = %v"'
const BAD_TLS_LEVEL = 'Invalid TLS level "%v"'

export const KEYWORD_PARAMETERS = {
  header_from_format: { default: 'standard', values: ['standard', 'obsolete'], min: 1 },
  info_log_address_format: { default: 'external', values: ['external', 'internal'], min: 1 },
  lmtp_address_preference: {
    default: 'any',
    values: ADDRESS_FAMILIES,
    min: 1,
    complaint: 'bad %n value: %v',
  },
  lmtp_address_verify_target: {
    default: 'rcpt',
    values: PROBE_TARGETS,
    min: 1,
    complaint: BAD_STAGE,
  },
  lmtp_dns_support_level: { default: '', values: DNS_LEVELS, complaint: INVALID },
  lmtp_tls_ciphers: { default: 'medium', values: TLS_CIPHER_GRADES, min: 1 },
  lmtp_tls_mandatory_ciphers: { default: 'medium', values: TLS_CIPHER_GRADES, min: 1 },
  lmtp_tls_security_level: { default: '', values: CLIENT_TLS_LEVELS, complaint: BAD_TLS_LEVEL },
  maillog_file_permissions: {
    default: '0600',
    values: ['644', '640', '600'],
    min: 1,
    since: '3.9',
  },
  milter_default_action: {
    default: 'tempfail',
    values: ['accept', 'reject', 'tempfail', 'quarantine', 'shutdown'],
    min: 1,
  },
  mynetworks_style: {
    default: '${{$compatibility_level} <level {2} ? {subnet} : {host}}',
    values: ['class', 'subnet', 'host'],
    isExactCase: true,
    min: 1,
  },
  non_bdb_migration_level: {
    default: 'disable',
    values: ['disable', 'enable-redirect', 'enable-reindex'],
    min: 1,
    since: '3.11',
  },
  non_empty_end_of_header_action: {
    default: 'fix_quietly',
    values: ['fix_quietly', 'add_header', 'reject'],
    min: 1,
    since: '3.11',
  },
  postscreen_bare_newline_action: { default: 'ignore', values: SCREEN_ACTIONS, min: 1 },
  postscreen_denylist_action: {
    default: '${postscreen_blacklist_action?{$postscreen_blacklist_action}:{ignore}}',
    values: SCREEN_ACTIONS,
    min: 1,
  },
  postscreen_dnsbl_action: { default: 'ignore', values: SCREEN_ACTIONS, min: 1 },
  postscreen_greet_action: { default: 'ignore', values: SCREEN_ACTIONS, min: 1 },
  postscreen_non_smtp_command_action: { default: 'drop', values: SCREEN_ACTIONS, min: 1 },
  postscreen_pipelining_action: { default: 'enforce', values: SCREEN_ACTIONS, min: 1 },
  postscreen_tls_ciphers: {
    default: '$smtpd_tls_ciphers',
    values: TLS_CIPHER_GRADES,
    min: 1,
    since: '3.12',
  },
  postscreen_tls_eecdh_grade: {
    default: '$smtpd_tls_eecdh_grade',
    values: CURVE_GRADES,
    min: 1,
    since: '3.12',
  },
  postscreen_tls_mandatory_ciphers: {
    default: '$smtpd_tls_mandatory_ciphers',
    values: TLS_CIPHER_GRADES,
    min: 1,
    since: '3.12',
  },
  postscreen_tls_security_level: {
    default: '$smtpd_tls_security_level',
    values: SERVER_TLS_LEVELS,
    complaint: BAD_TLS_LEVEL,
  },
  reject_tempfail_action: { default: 'defer_if_permit', values: TEMPFAIL_ACTIONS, min: 1 },
  sendmail_fix_line_endings: {
    default: 'always',
    values: ['always', 'strict', 'never'],
    isExactCase: true,
    min: 1,
  },
  smtp_address_preference: {
    default: 'any',
    values: ADDRESS_FAMILIES,
    min: 1,
    complaint: 'bad %n value: %v',
  },
  smtp_address_verify_target: {
    default: 'rcpt',
    values: PROBE_TARGETS,
    min: 1,
    complaint: BAD_STAGE,
  },
  smtp_dns_support_level: { default: '', values: DNS_LEVELS, complaint: INVALID },
  smtp_tls_ciphers: { default: 'medium', values: TLS_CIPHER_GRADES, min: 1 },
  smtp_tls_dane_insecure_mx_policy: {
    default: '${{$smtp_tls_security_level} == {dane} ? {dane} : {may}}',
    values: ['may', 'encrypt', 'dane'],
    complaint: INVALID,
  },
  smtp_tls_mandatory_ciphers: { default: 'medium', values: TLS_CIPHER_GRADES, min: 1 },
  smtp_tls_security_level: { default: '', values: CLIENT_TLS_LEVELS, complaint: BAD_TLS_LEVEL },
  smtpd_forbid_bare_newline: {
    default: 'no',
    values: ['normalize', 'yes', 'reject', 'no'],
    complaint: "bad parameter value: '%n = %v'",
    min: 1,
  },
  smtpd_tls_ciphers: { default: 'medium', values: TLS_CIPHER_GRADES, min: 1 },
  smtpd_tls_eecdh_grade: { default: 'auto', values: CURVE_GRADES, min: 1 },
  smtpd_tls_mandatory_ciphers: { default: 'medium', values: TLS_CIPHER_GRADES, min: 1 },
  smtpd_tls_security_level: {
    default: '',
    values: SERVER_TLS_LEVELS,
    complaint: BAD_TLS_LEVEL,
  },
  syslog_facility: {
    default: 'mail',
    values: [
      'auth',
      'authpriv',
      'cron',
      'daemon',
      'ftp',
      'kern',
      'lpr',
      'mail',
      'news',
      'security',
      'syslog',
      'user',
      'uucp',
      'local0',
      'local1',
      'local2',
      'local3',
      'local4',
      'local5',
      'local6',
      'local7',
    ],
    isExactCase: true,
    min: 1,
  },
  tlsproxy_client_security_level: {
    default: '${tlsproxy_client_level:$smtp_tls_security_level}',
    values: CLIENT_TLS_LEVELS,
  },
  tlsproxy_tls_ciphers: { default: '$smtpd_tls_ciphers', values: TLS_CIPHER_GRADES, min: 1 },
  tlsproxy_tls_eecdh_grade: { default: '$smtpd_tls_eecdh_grade', values: CURVE_GRADES, min: 1 },
  tlsproxy_tls_mandatory_ciphers: {
    default: '$smtpd_tls_mandatory_ciphers',
    values: TLS_CIPHER_GRADES,
    min: 1,
  },
  tlsproxy_tls_security_level: {
    default: '$smtpd_tls_security_level',
    values: SERVER_TLS_LEVELS,
    complaint: BAD_TLS_LEVEL,
  },
  unknown_address_tempfail_action: {
    default: '$reject_tempfail_action',
    values: TEMPFAIL_ACTIONS,
    min: 1,
  },
  unknown_helo_hostname_tempfail_action: {
    default: '$reject_tempfail_action',
    values: TEMPFAIL_ACTIONS,
    min: 1,
  },
  unverified_recipient_tempfail_action: {
    default: '$reject_tempfail_action',
    values: TEMPFAIL_ACTIONS,
    min: 1,
  },
  unverified_sender_tempfail_action: {
    default: '$reject_tempfail_action',
    values: TEMPFAIL_ACTIONS,
    min: 1,
  },
} as const satisfies Record<string, KeywordSpec>
