/**
 * own-parameters - the parameters that Postfix does not have, and those whose default is ours
 *
 * docs/differences.md gives the reasons. `mail_name` and `mail_version` are what the world sees of us.
 */
import type { IntegerSpec, KeywordSpec, ParameterSpec, TimeSpec } from '../parameter-spec.ts'

export const OWN_TEXT_PARAMETERS = {
  /** Servers to ask instead of those in resolv.conf: `address` or `[address]:port`, blank or comma separated. */
  dns_nameservers: { default: '' },
  mail_name: { default: 'Posthorn', min: 1 },
  mail_release_date: { default: '20261121', min: 1 },
  mail_version: { default: '0.1.0', min: 1 },
  /** Authorities of mtasts(8) for policy hosts, in place of those of Node.js and the system. */
  mta_sts_CAfile: { default: '' },
  /** Policies that mtasts(8) has fetched; empty: in memory only. */
  mta_sts_cache_file: { default: '$data_directory/mta_sts_cache' },
  /** Whom to ask about a report of tlsrpt(8); stands in it. */
  tlsrpt_contact_info: { default: '' },
  /** Who sends the reports of tlsrpt(8); stands in them. */
  tlsrpt_organization_name: { default: '$mydomain', min: 1 },
  /** From: and envelope sender of the reports of tlsrpt(8); its domain is the one that signs. */
  tlsrpt_report_from: { default: 'postmaster', min: 1 },
} as const satisfies Record<string, ParameterSpec>

export const OWN_BOOLEAN_PARAMETERS = {
  /** Text goes in chunks (BDAT, RFC 3030) to servers that offer CHUNKING. */
  lmtp_chunking_enable: { default: 'no' },
  smtp_chunking_enable: { default: 'no' },
} as const satisfies Record<string, ParameterSpec>

export const OWN_INTEGER_PARAMETERS = {
  /** Where mtasts(8) gets policies from; RFC 8461 3.3 knows no other, tests do. */
  mta_sts_policy_port: { default: '443', min: 1, max: 65_535 },
  /** The most processes of one service that master runs for its clients; 0 is the number of CPUs. */
  service_worker_limit: { default: '0', min: 0 },
  /** A worker leaves after max_use clients for each that it may serve at once, times this. */
  service_worker_use_factor: { default: '20', min: 1 },
} as const satisfies Record<string, IntegerSpec>

export const OWN_TIME_PARAMETERS = {
  /** For one policy, from its host's addresses to its last octet. */
  mta_sts_fetch_timeout: { default: '60s', unit: 's', min: 1, max: 3600 },
  /** mtasts(8) does not try again sooner what it could not fetch; RFC 8461 3.3: five minutes or longer. */
  mta_sts_retry_time: { default: '300s', unit: 's', min: 1 },
  /** Over how long tlsrpt(8) spreads its reports. */
  tlsrpt_report_delay: { default: '4h', unit: 'h' },
  /** What a report of tlsrpt(8) covers; RFC 8460 4.1 wants a day. */
  tlsrpt_report_interval: { default: '1d', unit: 'd', min: 1 },
} as const satisfies Record<string, TimeSpec>

const TLS_REUSE = ['auto', 'yes', 'no'] as const

export const OWN_KEYWORD_PARAMETERS = {
  /** `auto` is ours: TLS connections of this process may be used again by this process. */
  lmtp_tls_connection_reuse: {
    default: 'auto',
    values: TLS_REUSE,
    min: 1,
    complaint: 'bad boolean configuration: %n = %v',
  },
  smtp_tls_connection_reuse: {
    default: 'auto',
    values: TLS_REUSE,
    min: 1,
    complaint: 'bad boolean configuration: %n = %v',
  },
} as const satisfies Record<string, KeywordSpec>
