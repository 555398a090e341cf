/**
 * report-targets - where a domain wants its reports: the `rua` of its `_smtp._tls` record
 *
 *     v=TLSRPTv1; rua=mailto:reports@example.com,https://reports.example.com/tls
 *
 * Strict: a record with a mistake in it asks for nothing, as RFC 8460 3 has it. A target that we cannot serve is passed over:
 * another scheme, a mail address beyond ASCII, a server named by its address.
 * Limits: TARGET_LIMIT targets.
 * Source: RFC 8460 3 (grammar), RFC 6068 2 (mailto), RFC 3986.
 */
import { isIP } from 'node:net'
import { isValidHostname } from '@posthorn/address/hostname'
import { parsePathAddress } from '@posthorn/address/smtp-path'

export interface MailTarget {
  readonly kind: 'mail'
  /** As in the record. */
  readonly uri: string
  /** Internal form. */
  readonly address: string
}

export interface UploadTarget {
  readonly kind: 'upload'
  readonly uri: string
  readonly url: URL
}

export type ReportTarget = MailTarget | UploadTarget

const TARGET_LIMIT = 4
const ADDRESS_LIMIT = 320

const VERSION = 'v=TLSRPTv1'
/** RFC 8460 3: tlsrpt-extension */
const EXTENSION = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}=[\x21-\x3a\x3c\x3e-\x7e]+$/
/** RFC 3986, without `,` `!` `;`, which RFC 8460 3 wants encoded */
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#[\]@$&'()*+=-]|%[0-9A-Fa-f]{2})+$/

/** The URIs of the record, in their order; empty when it is none, or a malformed one. */
function urisOf(record: string): readonly string[] {
  const [version, ...fields] = record.split(';').map((field) => field.trim())
  if (version !== VERSION || !record.startsWith(VERSION)) return []
  // a delimiter may stand at the end (RFC 8460 3: tlsrpt-record)
  if (fields.at(-1) === '') fields.pop()
  const [first, second] = fields.filter((field) => field.startsWith('rua='))
  if (first === undefined || second !== undefined) return []
  if (fields.some((field) => field !== first && !EXTENSION.test(field))) return []
  const uris = first
    .slice('rua='.length)
    .split(',')
    .map((uri) => uri.trim())
  return uris.every((uri) => URI.test(uri)) ? uris : []
}

function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined // not UTF-8
  }
}

/** `mailto:user@example.com`; header fields behind a `?` have no meaning here. */
function mailTarget(uri: string): MailTarget | undefined {
  const text = decodePercent(uri.slice('mailto:'.length).replace(/[?#].*$/, ''))
  // printable ASCII: nothing that could end a header or a record, nothing that would need SMTPUTF8
  if (text === undefined || !/^[\x21-\x7e]+@[\x21-\x7e]+$/.test(text)) return undefined
  if (text.length > ADDRESS_LIMIT || text.includes('<') || text.includes('>')) return undefined
  try {
    const address = parsePathAddress(`<${text}>`, { isStrict: true })
    const domain = address.slice(address.lastIndexOf('@') + 1)
    return isValidHostname(domain) ? { kind: 'mail', uri, address } : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** A server with a name, for which there can be a certificate; user and password are not sent. */
function uploadTarget(uri: string): UploadTarget | undefined {
  if (!URL.canParse(uri)) return undefined
  const url = new URL(uri)
  const host = url.hostname
  if (!isValidHostname(host) || isIP(host) !== 0 || !host.includes('.')) return undefined
  if (url.username !== '' || url.password !== '') return undefined
  return { kind: 'upload', uri, url }
}

function targetOf(uri: string): ReportTarget | undefined {
  if (/^mailto:/i.test(uri)) return mailTarget(uri)
  return /^https:\/\//i.test(uri) ? uploadTarget(uri) : undefined
}

/** Each target once, the first TARGET_LIMIT of them. */
export function findReportTargets(record: string): readonly ReportTarget[] {
  const targets = new Map<string, ReportTarget>()
  for (const uri of urisOf(record)) {
    const target = targets.size < TARGET_LIMIT ? targetOf(uri) : undefined
    if (target !== undefined) targets.set(uri, target)
  }
  return [...targets.values()]
}
