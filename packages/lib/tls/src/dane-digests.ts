/**
 * dane-digests - tls_dane_digests: which digests TLSA records may use, the best first
 *
 *     sha512 sha256        sha512=2, sha256=1
 *
 * Source: Postfix 3.7 postconf(5) tls_dane_digests; RFC 7671 9; IANA registry of TLSA matching types.
 */
import { log } from '@posthorn/log/log'
import { isDigest } from './fingerprint.ts'

/** Fingerprints have it: see fingerprint.ts. */
const PRIVATE_USE = 255

interface DaneDigest {
  readonly algorithm: string
  /** The lowest is the best. */
  readonly rank: number
}

/** By matching type. */
export type DigestTable = ReadonlyMap<number, DaneDigest>

const STANDARD: ReadonlyMap<number, string> = new Map([
  [1, 'sha256'],
  [2, 'sha512'],
])

/** @returns undefined: no digest is of use; why has been logged */
export function parseDaneDigests(text: string): DigestTable | undefined {
  const table = new Map<number, DaneDigest>()
  for (const word of text.split(/[\s,]+/).filter((item) => item !== '')) {
    const [name = '', suffix] = word.split('=', 2)
    const algorithm = name.toLowerCase()
    const number = suffix === undefined ? standardNumber(algorithm) : Number(suffix)
    const fault = faultOf(word, algorithm, number, table)
    if (fault !== undefined) {
      log.warning(fault)
      return undefined
    }
    if (number !== undefined) table.set(number, { algorithm, rank: table.size })
  }
  return table
}

function standardNumber(algorithm: string): number | undefined {
  return [...STANDARD.entries()].find(([, name]) => name === algorithm)?.[0]
}

function faultOf(
  word: string,
  algorithm: string,
  number: number | undefined,
  known: DigestTable,
): string | undefined {
  if (number === undefined) {
    return `tls_dane_digests: digest algorithm ${algorithm} needs an explicit number`
  }
  if (number === 0) return `Reserved matching type number in tls_dane_digests: ${word}`
  if (!Number.isInteger(number) || number < 0 || number >= PRIVATE_USE) {
    return `Invalid matching type number in tls_dane_digests: ${word}`
  }
  const standard = STANDARD.get(number)
  if (standard !== undefined && standard !== algorithm) {
    return `tls_dane_digests: matching type ${number} can only be ${standard}`
  }
  if (known.has(number)) {
    return `tls_dane_digests: matching type ${number} specified more than once`
  }
  return isDigest(algorithm)
    ? undefined
    : `tls_dane_digests: digest algorithm "${algorithm}"(${number}) unknown`
}
