/**
 * issuer-limits - what an issuer may not do: longer chains, other names, and what nobody here understands
 *
 * For chains that lead to a trust anchor of ours or of a TLSA record: OpenSSL has no part in those, so its checks are made
 * here; for other chains, node:tls has no word for what OpenSSL found. RFC 5280 4.2.1.3 (keyCertSign), 4.2.1.9 (authority, path length), 4.2.1.10 (DNS names; constraints of other kinds of names do
 * not bear on a host name), 4.2 (critical extensions). What cannot be read is not allowed.
 */
import type { X509Certificate } from 'node:crypto'
import { commonName } from './certificate-names.ts'
import { children, type DerElement } from './der.ts'

const OID = {
  keyUsage: '551d0f',
  alternativeName: '551d11',
  basicConstraints: '551d13',
  nameConstraints: '551d1e',
} as const

/** Handled here, or of no consequence for a server: extended key usage, and policies. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  ...Object.values(OID),
  '551d25',
  '551d20',
  '551d24',
  '551d36',
])

const EXTENSIONS = 0xa3
const BOOLEAN = 0x01
const INTEGER = 0x02
const DNS_NAME = 0x82
const PERMITTED = 0xa0
const EXCLUDED = 0xa1
/** In the first octet of a key usage. */
const KEY_CERT_SIGN = 0x04

export interface LimitFault {
  readonly depth: number
  /** As OpenSSL numbers and words it. */
  readonly text: string
}

/** `path`: the server's own certificate, then its issuers. */
export function findLimitFault(path: readonly X509Certificate[]): LimitFault | undefined {
  try {
    return limitFault(path)
  } catch {
    return { depth: path.length - 1, text: 'num=1:unspecified certificate verification error' }
  }
}

/** @throws {RangeError} an extension cannot be read */
function limitFault(path: readonly X509Certificate[]): LimitFault | undefined {
  const names = path[0] === undefined ? [] : hostNames(path[0])
  for (const [depth, certificate] of path.entries()) {
    const extensions = extensionsOf(certificate)
    for (const [oid, { isCritical }] of extensions) {
      if (isCritical && !UNDERSTOOD.has(oid)) {
        return { depth, text: 'num=34:unhandled critical extension' }
      }
    }
    if (depth === 0) continue
    const constraints = extensions.get(OID.basicConstraints)
    // an old root has no extensions at all
    const isOldRoot = constraints === undefined && depth === path.length - 1
    if (!certificate.ca && !isOldRoot) return { depth, text: NOT_SIGNING }
    const usage = extensions.get(OID.keyUsage)
    if (usage !== undefined && !canSign(usage.value)) return { depth, text: NOT_SIGNING }
    const between = path.slice(1, depth).filter((issuer) => !issuer.checkIssued(issuer)).length
    if (between > pathLength(constraints?.value)) {
      return { depth, text: 'num=25:path length constraint exceeded' }
    }
    const subtrees = extensions.get(OID.nameConstraints)
    const fault = subtrees === undefined ? undefined : nameFault(subtrees.value, names)
    if (fault !== undefined) return { depth: 0, text: fault }
  }
  return undefined
}

const NOT_SIGNING = 'num=79:invalid CA certificate'

interface Extension {
  readonly isCritical: boolean
  /** DER. */
  readonly value: Buffer
}

function extensionsOf(certificate: X509Certificate): ReadonlyMap<string, Extension> {
  const found = new Map<string, Extension>()
  const [toBeSigned] = children(only(children(certificate.raw)).content)
  const list = children(toBeSigned?.content ?? Buffer.of()).find(({ tag }) => tag === EXTENSIONS)
  if (list === undefined) return found
  for (const extension of children(only(children(list.content)).content)) {
    const [oid, ...rest] = children(extension.content)
    const value = rest.at(-1)
    if (oid === undefined || value === undefined) throw new RangeError('Cannot read extension')
    const isCritical = rest[0]?.tag === BOOLEAN && rest[0].content[0] !== 0
    found.set(oid.content.toString('hex'), { isCritical, value: value.content })
  }
  return found
}

function only(elements: readonly DerElement[]): DerElement {
  const [element] = elements
  if (element === undefined || elements.length > 1)
    throw new RangeError('Cannot read DER: want one')
  return element
}

/** A bit string: the number of unused bits, then bits from the left. */
function canSign(usage: Buffer): boolean {
  return ((only(children(usage)).content[1] ?? 0) & KEY_CERT_SIGN) !== 0
}

function pathLength(basicConstraints: Buffer | undefined): number {
  if (basicConstraints === undefined) return Infinity
  const fields = children(only(children(basicConstraints)).content)
  const limit = fields.find(({ tag }) => tag === INTEGER)
  return limit === undefined ? Infinity : Number.parseInt(limit.content.toString('hex') || '0', 16)
}

function hostNames(certificate: X509Certificate): string[] {
  const extension = extensionsOf(certificate).get(OID.alternativeName)
  const names =
    extension === undefined ? [] : dnsNames(children(only(children(extension.value)).content))
  return names.length > 0 ? names : [commonName(certificate.subject).toLowerCase()]
}

function dnsNames(names: readonly DerElement[]): string[] {
  return names
    .filter(({ tag }) => tag === DNS_NAME)
    .map(({ content }) => content.toString('latin1').toLowerCase())
}

function nameFault(nameConstraints: Buffer, names: readonly string[]): string | undefined {
  const fields = children(only(children(nameConstraints)).content)
  const subtrees = (wanted: number): string[] =>
    fields
      .filter(({ tag }) => tag === wanted)
      .flatMap(({ content }) => children(content))
      .flatMap(({ content }) => dnsNames(children(content).slice(0, 1)))
  const permitted = subtrees(PERMITTED)
  const excluded = subtrees(EXCLUDED)
  const isIn = (bases: readonly string[]) => (name: string) =>
    bases.some((base) => isBelow(name, base))
  if (permitted.length > 0 && !names.every(isIn(permitted)))
    return 'num=47:permitted subtree violation'
  return names.some(isIn(excluded)) ? 'num=48:excluded subtree violation' : undefined
}

/** `good.test` has itself and all below, `.good.test` what is below. */
function isBelow(name: string, base: string): boolean {
  if (base === '' || name === base) return true
  return name.endsWith(base.startsWith('.') ? base : `.${base}`)
}
