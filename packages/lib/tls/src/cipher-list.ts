/**
 * cipher-list - the ciphers of a grade, without those that are excluded
 *
 * The list is one of OpenSSL, see ciphers(1), for TLS 1.2 and older; the suites of TLS 1.3 have no parameter.
 * Source: Postfix 3.7 postconf(5) smtp_tls_mandatory_ciphers, smtp_tls_exclude_ciphers.
 */
import type { TlsClientParams } from '@posthorn/wire/tlsproxy-protocol'

/** As Postfix logs it: `aNULL:-aNULL:HIGH:@STRENGTH:!MD5`. @returns undefined: no such grade */
export function cipherList(
  params: TlsClientParams,
  grade: string,
  exclusions: string,
): string | undefined {
  const base = gradeList(params, grade)
  if (base === undefined) return undefined
  const excluded = exclusions.split(/[\s,:]+/).filter((item) => item !== '')
  return [base, ...excluded.map((item) => `!${item}`)].join(':')
}

function gradeList(params: TlsClientParams, grade: string): string | undefined {
  switch (grade.toLowerCase()) {
    case 'high':
      return params.highCipherList
    case 'medium':
      return params.mediumCipherList
    case 'low':
      return params.lowCipherList
    case 'export':
      return params.exportCipherList
    case 'null':
      return params.nullCipherList
    default:
      return undefined
  }
}

export interface CipherBits {
  readonly used: number
  readonly algorithm: number
}

/** Node.js does not tell; the name does. Both 0: no encryption, or a cipher that nobody knows. */
export function cipherBits(name: string): CipherBits {
  const bits = name.includes('CHACHA20')
    ? 256
    : Number(/(?:AES|CAMELLIA|ARIA)_?(128|256)/.exec(name)?.[1] ?? 0)
  if (bits !== 0) return { used: bits, algorithm: bits }
  if (/DES-CBC3|3DES/.test(name)) return { used: 112, algorithm: 168 }
  if (/RC4|SEED|IDEA/.test(name)) return { used: 128, algorithm: 128 }
  return { used: 0, algorithm: 0 }
}
