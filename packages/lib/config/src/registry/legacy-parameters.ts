/**
 * legacy-parameters - old names that act only because the default of their successor refers to them
 *
 * They have no default; unset, they do not exist. postconf shows them among the user-defined ones.
 * Source: Postfix 3.7 postconf(1), postconf(5).
 */
export const LEGACY_PARAMETERS: ReadonlySet<string> = new Set([
  'authorized_verp_clients',
  'fallback_relay',
  'lmtp_per_record_deadline',
  'postscreen_blacklist_action',
  'postscreen_dnsbl_ttl',
  'postscreen_dnsbl_whitelist_threshold',
  'postscreen_whitelist_interfaces',
  'smtp_per_record_deadline',
  'smtpd_client_connection_limit_exceptions',
  'smtpd_per_record_deadline',
  'tlsproxy_client_level',
  'tlsproxy_client_policy',
  'virtual_maps',
])
