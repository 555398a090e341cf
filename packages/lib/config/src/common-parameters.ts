/**
 * common-parameters - parameters that every program of Postfix reads before it does anything
 *
 * A program that meets a value of the wrong type in one of them does not start, whether it needs the parameter or not. Ours
 * read a parameter when they need it; `postfix start`, `postfix reload` and master(8) look at these beforehand, so that a
 * mistake that concerns everybody is found before the first daemon trips over it.
 *
 * Source: observed with Postfix 3.7.11, one parameter at a time.
 */
import type { MainConfig } from './main-config.ts'
import type { BooleanParameter, IntegerParameter, TimeParameter } from './parameter-registry.ts'

const BOOLEANS = [
  'address_verify_negative_cache',
  'backwards_bounce_logfile_compatibility',
  'daemon_table_open_error_is_fatal',
  'disable_dns_lookups',
  'disable_mime_input_processing',
  'disable_mime_output_conversion',
  'dns_ncache_ttl_fix_enable',
  'enable_idna2003_compatibility',
  'enable_long_queue_ids',
  'enable_original_recipient',
  'helpful_warnings',
  'multi_instance_enable',
  'owner_request_special',
  'respectful_logging',
  'send_cyrus_sasl_authzid',
  'smtputf8_enable',
  'soft_bounce',
  'strict_7bit_headers',
  'strict_8bitmime',
  'strict_8bitmime_body',
  'strict_mime_encoding_domain',
  'strict_smtputf8',
] as const satisfies readonly BooleanParameter[]

const INTEGERS = [
  'berkeley_db_create_buffer_size',
  'berkeley_db_read_buffer_size',
  'debug_peer_level',
  'default_process_limit',
  'delay_logging_resolution_limit',
  'deliver_lock_attempts',
  'dont_remove',
  'fault_injection_code',
  'fork_attempts',
  'hash_queue_depth',
  'header_address_token_limit',
  'header_size_limit',
  'line_length_limit',
  'lmdb_map_size',
  'max_use',
  'message_size_limit',
  'mime_boundary_length_limit',
  'mime_nesting_limit',
  'tcp_windowsize',
] as const satisfies readonly IntegerParameter[]

const TIMES = [
  'application_event_drain_time',
  'daemon_timeout',
  'deliver_lock_delay',
  'fork_delay',
  'in_flow_delay',
  'ipc_idle',
  'ipc_timeout',
  'ipc_ttl',
  'max_idle',
  'stale_lock_time',
  'trigger_timeout',
] as const satisfies readonly TimeParameter[]

/** @throws {ConfigError} the first value of the wrong type */
export function checkCommonParameters(config: MainConfig): void {
  for (const name of TIMES) config.seconds(name)
  for (const name of INTEGERS) config.integer(name)
  for (const name of BOOLEANS) config.boolean(name)
}
