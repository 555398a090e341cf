/**
 * own-parameters - the parameters that Postfix does not have, and those whose default is ours
 *
 * docs/differences.md gives the reasons. `mail_name` and `mail_version` are what the world sees of us.
 */
import type { IntegerSpec, KeywordSpec, ParameterSpec } from '../parameter-spec.ts'

export const OWN_TEXT_PARAMETERS = {
  /** Servers to ask instead of those in resolv.conf: `address` or `[address]:port`, blank or comma separated. */
  dns_nameservers: { default: '' },
  mail_name: { default: 'Posthorn', min: 1 },
  mail_release_date: { default: '20261121', min: 1 },
  mail_version: { default: '0.1.0', min: 1 },
} as const satisfies Record<string, ParameterSpec>

export const OWN_INTEGER_PARAMETERS = {
  /** The most processes of one service that master runs for its clients; 0 is the number of CPUs. */
  service_worker_limit: { default: '0', min: 0 },
  /** A worker leaves after max_use clients for each that it may serve at once, times this. */
  service_worker_use_factor: { default: '20', min: 1 },
} as const satisfies Record<string, IntegerSpec>

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
