/**
 * database-clients - the options that database clients read from main.cf as NAME_<option>
 *
 * `mysql:NAME` in a value makes `NAME_hosts` and the like valid names. Sources: Postfix 3.7 ldap_table(5),
 * mysql_table(5), pgsql_table(5), sqlite_table(5), memcache_table(5).
 */
const SQL =
  'additional_conditions domain expansion_limit query result_format select_field table where_field'

const OPTIONS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  [
    [
      'ldap',
      'bind bind_dn bind_pw cache cache_expiry cache_size chase_referrals debuglevel dereference domain ' +
        'expansion_limit leaf_result_attribute query_filter recursion_limit result_attribute result_filter ' +
        'result_format sasl_authz_id sasl_mechs sasl_minssf sasl_realm scope search_base server_host server_port ' +
        'size_limit special_result_attribute start_tls terminal_result_attribute timeout tls_ca_cert_dir ' +
        'tls_ca_cert_file tls_cert tls_cipher_suite tls_key tls_random_file tls_require_cert version',
    ],
    [
      'mysql',
      `${SQL} dbname hosts option_file option_group password require_result_set tls_CAfile tls_CApath ` +
        'tls_cert_file tls_ciphers tls_key_file tls_verify_cert user',
    ],
    ['pgsql', `${SQL} dbname hosts password select_function user`],
    ['sqlite', `${SQL} dbpath`],
    [
      'memcache',
      'backup data_size_limit domain flags key_format line_size_limit max_try memcache retry_pause timeout ttl',
    ],
  ].map(([type = '', words = '']) => [type, new Set(words.split(' '))]),
)

/** Options of a database client; undefined for a table type without options. */
export function clientOptions(type: string): ReadonlySet<string> | undefined {
  return OPTIONS.get(type)
}
