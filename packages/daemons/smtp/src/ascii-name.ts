/**
 * ascii-name - a domain name as DNS knows it (RFC 5890 2.3.2.1)
 *
 * Names are octets, those beyond ASCII UTF-8. UTS 46 in its newer form, where the German sharp s and the Greek final sigma
 * are letters of their own; with enable_idna2003_compatibility in its transitional one, where they are not.
 */
import { domainToASCII } from 'node:url'

/** UTS 46 section 4, transitional processing: what becomes of the letters that IDNA2003 did not keep. */
const DEVIATIONS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/[\u00df\u1e9e]/g, 'ss'],
  [/\u03c2/g, '\u03c3'],
  [/[\u200c\u200d]/g, ''],
]

/** The original where it cannot be converted. */
export function toAsciiName(name: string, isTransitional: boolean): string {
  if (!/[\x80-\xff]/.test(name)) return name
  let text = Buffer.from(name, 'latin1').toString('utf8')
  if (isTransitional) {
    for (const [pattern, replacement] of DEVIATIONS) text = text.replace(pattern, replacement)
  }
  return domainToASCII(text) || name
}
