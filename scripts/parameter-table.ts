/**
 * parameter-table - writes docs/parameters-smtp.md: what each parameter of smtp(8) and lmtp(8) is read by, and shown by
 *
 * Usage: scripts/parameter-table.ts [--check]; --check writes nothing and fails when the page is out of date, or when a
 * parameter is read by nothing or shown by no test.
 * A parameter is read where its name stands in a source that the client is made of; its effect is shown where its name
 * stands in a test. smtp_x and lmtp_x are one line of code, `${protocol}_x`, so the reader is the same; so it is where x is one of
 * a list of words, `${protocol}_${word}`. What only the default of another parameter names is read by way of that one.
 */
import { glob, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findParameter, parameterNames } from '@posthorn/config/parameter-registry'
import { ROOT } from './instance.ts'

const PAGE = 'docs/parameters-smtp.md'

/** Parameters without the prefix that smtp(8) names or needs, by the manual and postconf(5). */
const COMMON =
  `allow_srv_lookup_fallback best_mx_transport config_directory connection_cache_protocol_timeout
  connection_cache_service_name cyrus_sasl_config_path daemon_timeout debug_peer_level debug_peer_list
  delay_logging_resolution_limit disable_dns_lookups disable_mime_output_conversion dnssec_probe
  enable_idna2003_compatibility error_notice_recipient fallback_relay header_from_format ignore_mx_lookup_error
  ignore_srv_lookup_error inet_interfaces inet_protocols info_log_address_format internal_mail_filter_classes ipc_timeout
  known_tcp_ports max_idle max_use mime_boundary_length_limit mime_nesting_limit minimal_backoff_time notify_classes
  propagate_unmatched_extensions proxy_interfaces send_cyrus_sasl_authzid smtputf8_enable syslog_facility syslog_name
  tcp_windowsize tls_append_default_CA tls_config_file tls_config_name tls_daemon_random_bytes tls_dane_digests
  tls_disable_workarounds tls_eecdh_auto_curves tls_eecdh_strong_curve tls_eecdh_ultra_curve tls_export_cipherlist
  tls_fast_shutdown_enable tls_ffdhe_auto_groups tls_high_cipherlist tls_legacy_public_key_fingerprints tls_low_cipherlist
  tls_medium_cipherlist tls_null_cipherlist tls_preempt_cipherlist tls_session_ticket_cipher tls_ssl_options
  tls_wildcard_matches_multiple_labels tlsmgr_service_name tlsproxy_service_name use_srv_lookup`.split(
    /\s+/,
  )

const SOURCES = [
  'packages/daemons/{smtp,tlsmgr}/src/**/*.ts',
  'packages/lib/{tls,sasl,delivery,dns,daemon,config,log,message,tables}/src/*.ts',
]
const TESTS = [
  'packages/daemons/{smtp,tlsproxy,tlsmgr}/src/**/*.ts',
  'packages/lib/{tls,sasl,delivery,dns,daemon,config,log,message}/src/*.ts',
  'test/{parity,swap,end-to-end}/**/*.ts',
]

interface Source {
  readonly path: string
  readonly text: string
}

async function read(patterns: readonly string[]): Promise<Source[]> {
  const found: Source[] = []
  for (const pattern of patterns) {
    for await (const path of glob(pattern, { cwd: ROOT })) {
      found.push({ path, text: await readFile(join(ROOT, path), 'utf8') })
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1))
}

function isTest(path: string): boolean {
  return /\.test\.ts$|^test\/|\/src\/test\//.test(path)
}

/** `smtp_x` stands in a source as itself, as `${protocol}_x`, or as a word for `${protocol}_${word}`. */
function readersOf(name: string, sources: readonly Source[]): string[] {
  const stem = /^[sl]mtp_(.*)$/.exec(name)?.[1]
  const composes = (text: string): boolean =>
    stem !== undefined &&
    (text.includes(`}_${stem}\``) ||
      (text.includes('${protocol}_${') && text.includes(`'${stem}'`)))
  const readers = sources.filter(({ text }) => mentions(text, name) || composes(text))
  if (readers.length > 0) {
    return readers.map(({ path }) => path.replace(/^packages\//, '').replace('/src/', '/'))
  }
  return [...parameterNames()]
    .filter((other) => (findParameter(other)?.spec.default ?? '').includes(`$${name}`))
    .map((other) => `the default of ${other}`)
}

/** In a test that does the same for both programs the name stands without its prefix. */
function shows(text: string, name: string): boolean {
  const stem = /^[sl]mtp_(.*)$/.exec(name)?.[1]
  return (
    mentions(text, name) ||
    (stem !== undefined &&
      text.includes(`['smtp', 'lmtp']`) &&
      (mentions(text, stem) || text.includes(`}_${stem}\``)))
  )
}

function mentions(text: string, name: string): boolean {
  return new RegExp(String.raw`(?<![\w$])${name}(?!\w)`).test(text)
}

function row(name: string, sources: readonly Source[], tests: readonly Source[]): string {
  const value = findParameter(name)?.spec.default ?? ''
  const readers = readersOf(name, sources)
  const shown = tests.filter(({ text }) => shows(text, name)).map(({ path }) => path)
  const cell = (paths: readonly string[], most: number): string => {
    const rest = paths.length - most
    return paths.slice(0, most).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
  }
  const short = shown.map((path) => path.replace(/^packages\//, '').replace('/src/', '/'))
  const text = value === '' ? 'empty' : `\`${value.replaceAll('|', '\\|')}\``
  return `| ${name} | ${text} | ${cell(readers, 3) || '**nothing**'} | ${cell(short, 3) || '**none**'} |`
}

const sources = (await read(SOURCES)).filter(({ path }) => !isTest(path))
const tests = (await read(TESTS)).filter(({ path }) => isTest(path))
const names = [...parameterNames()].filter((name) => /^[sl]mtp_/.test(name))
const rows = [...names.sort(), ...COMMON].map((name) => row(name, sources, tests))
const page = `# The parameters of smtp(8) and lmtp(8)

Written by \`scripts/parameter-table.ts\`: for each parameter its default, the files that read it, and the tests that show its effect.
What the manual says of a parameter is in postconf(5).

| parameter | default | read by | shown by |
|---|---|---|---|
${rows.join('\n')}
`
const current = await readFile(join(ROOT, PAGE), 'utf8').catch(() => '')
if (process.argv.includes('--check')) {
  if (current !== page) {
    console.error(`${PAGE} is out of date: run scripts/parameter-table.ts`)
    process.exitCode = 1
  }
} else await writeFile(join(ROOT, PAGE), page)
const unfinished = rows.filter((line) => /\*\*(?:none|nothing)\*\*/.test(line))
console.error(`${rows.length} parameters, ${unfinished.length} without a reader or a test`)
if (process.argv.includes('--check') && unfinished.length > 0) {
  console.error(unfinished.join('\n'))
  process.exitCode = 1
}
