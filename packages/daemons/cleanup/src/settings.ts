/**
 * settings - what main.cf tells cleanup(8), read once at start
 */
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import { milterActionOf, type MilterAction } from './milter-stand-in.ts'
import { CLEANUP_MAPPING_CLASSES, type MappingClass } from './mapping-class.ts'

export interface Settings {
  readonly myhostname: string
  readonly alwaysBcc: string
  readonly alwaysAddMissingHeaders: boolean
  readonly undisclosedHeader: string
  readonly hasObsoleteFrom: boolean
  readonly remoteRewriteDomain: string
  readonly keepsOriginalRecipient: boolean
  readonly emptyRecipient: string
  readonly dropHeaders: ReadonlySet<string>
  readonly replacesStrayCrLf: boolean
  readonly rejectCharacters: string
  readonly stripCharacters: string
  readonly lineLimit: number
  readonly headerSizeLimit: number
  readonly headerTokenLimit: number
  readonly hopLimit: number
  readonly messageSizeLimit: number
  readonly attributeLimit: number
  readonly duplicateLimit: number
  readonly bodyCheckLimit: number
  readonly usesMime: boolean
  readonly detects8Bit: boolean
  readonly mimeNestingLimit: number
  readonly boundaryLimit: number
  readonly strict7BitHeaders: boolean
  readonly strict8BitBody: boolean
  readonly strictEncodingDomain: boolean
  readonly virtualExpansionLimit: number
  readonly virtualRecursionLimit: number
  readonly virtualAddressLimit: number
  readonly delayWarningSeconds: number
  readonly verpFilter: string
  readonly utf8Enabled: boolean
  /** requiretls_enable */
  readonly allowsRequireTls: boolean
  /** requiretls_esmtp_header, where REQUIRETLS is allowed. */
  readonly hasRequireTlsHeader: boolean
  /** tls_required_enable */
  readonly honorsTlsRequired: boolean
  readonly longIds: boolean
  readonly inFlowDelaySeconds: number
  readonly milterAction: MilterAction
  readonly canonicalClasses: ReadonlySet<MappingClass>
  readonly senderCanonicalClasses: ReadonlySet<MappingClass>
  readonly recipientCanonicalClasses: ReadonlySet<MappingClass>
  readonly masqueradeClasses: ReadonlySet<MappingClass>
  readonly masqueradeDomains: readonly string[]
}

/** @throws {ConfigError} values that do not fit together */
export function readSettings(config: MainConfig): Settings {
  checkVerpDelimiters(config.text('default_verp_delimiters'), config.text('verp_delimiter_filter'))
  const strict8Bit = config.boolean('strict_8bitmime')
  return {
    myhostname: config.text('myhostname'),
    alwaysBcc: config.text('always_bcc'),
    alwaysAddMissingHeaders: config.boolean('always_add_missing_headers'),
    undisclosedHeader: config.text('undisclosed_recipients_header'),
    hasObsoleteFrom: config.text('header_from_format') === 'obsolete',
    remoteRewriteDomain: config.text('remote_header_rewrite_domain'),
    keepsOriginalRecipient: config.boolean('enable_original_recipient'),
    emptyRecipient: config.text('empty_address_recipient'),
    dropHeaders: new Set(config.list('message_drop_headers').map((name) => name.toLowerCase())),
    replacesStrayCrLf: config.boolean('cleanup_replace_stray_cr_lf'),
    rejectCharacters: unescape(config.text('message_reject_characters')),
    stripCharacters: unescape(config.text('message_strip_characters')),
    lineLimit: config.integer('line_length_limit'),
    headerSizeLimit: config.integer('header_size_limit'),
    headerTokenLimit: config.integer('header_address_token_limit'),
    hopLimit: config.integer('hopcount_limit'),
    messageSizeLimit: config.integer('message_size_limit'),
    attributeLimit: config.integer('queue_file_attribute_count_limit'),
    duplicateLimit: config.integer('duplicate_filter_limit'),
    bodyCheckLimit: config.integer('body_checks_size_limit'),
    usesMime: !config.boolean('disable_mime_input_processing'),
    detects8Bit: config.boolean('detect_8bit_encoding_header'),
    mimeNestingLimit: config.integer('mime_nesting_limit'),
    boundaryLimit: config.integer('mime_boundary_length_limit'),
    strict7BitHeaders: strict8Bit || config.boolean('strict_7bit_headers'),
    strict8BitBody: strict8Bit || config.boolean('strict_8bitmime_body'),
    strictEncodingDomain: config.boolean('strict_mime_encoding_domain'),
    virtualExpansionLimit: config.integer('virtual_alias_expansion_limit'),
    virtualRecursionLimit: config.integer('virtual_alias_recursion_limit'),
    virtualAddressLimit: config.integer('virtual_alias_address_length_limit'),
    delayWarningSeconds: config.seconds('delay_warning_time'),
    verpFilter: config.text('verp_delimiter_filter'),
    utf8Enabled: config.boolean('smtputf8_enable'),
    allowsRequireTls: config.boolean('requiretls_enable'),
    hasRequireTlsHeader:
      config.boolean('requiretls_enable') && config.boolean('requiretls_esmtp_header'),
    honorsTlsRequired: config.boolean('tls_required_enable'),
    longIds: config.boolean('enable_long_queue_ids'),
    milterAction: milterActionOf(config),
    inFlowDelaySeconds: config.seconds('in_flow_delay'),
    canonicalClasses: mappingClasses(config.list('canonical_classes')),
    senderCanonicalClasses: mappingClasses(config.list('sender_canonical_classes')),
    recipientCanonicalClasses: mappingClasses(config.list('recipient_canonical_classes')),
    masqueradeClasses: mappingClasses(config.list('masquerade_classes')),
    masqueradeDomains: config.list('masquerade_domains').map((name) => name.toLowerCase()),
  }
}

/** @throws {ConfigError} XVERP without delimiters would ask for some that are refused */
function checkVerpDelimiters(delimiters: string, filter: string): void {
  const parameters = 'parameters default_verp_delimiters and verp_delimiter_filter'
  if (delimiters.length !== 2) {
    throw new ConfigError(`${parameters}: bad VERP delimiter string length: ${delimiters}`)
  }
  for (const [at, place] of ['first', 'second'].entries()) {
    if (!filter.includes(delimiters.charAt(at))) {
      throw new ConfigError(`${parameters}: bad ${place} VERP delimiter character`)
    }
  }
}

function mappingClasses(names: readonly string[]): ReadonlySet<MappingClass> {
  return new Set(CLEANUP_MAPPING_CLASSES.filter((known) => names.includes(known)))
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
}

/** `\0` to `\377` and C's letters: how characters are written in message_reject_characters. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{1,3}|.)/g, (whole, escaped: string) => {
    const code = /^[0-7]/.test(escaped) ? parseInt(escaped, 8) & 0xff : undefined
    return code === undefined ? (escapes[escaped] ?? whole) : String.fromCharCode(code)
  })
}
