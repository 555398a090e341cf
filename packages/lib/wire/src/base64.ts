/**
 * base64 - the strict RFC 4648 form in which binary values travel
 *
 * Octets are latin1 strings on both sides. The decoder takes only what the encoder would write: padded, without
 * line breaks, nothing outside the alphabet.
 */
import { AttrError } from './wire-error.ts'

export function encodeBase64(octets: string): string {
  return Buffer.from(octets, 'latin1').toString('base64')
}

/** @throws {AttrError} for text that is not the base64 of anything; `name` says of what */
export function decodeBase64(text: string, name: string): string {
  const octets = Buffer.from(text, 'base64')
  if (octets.toString('base64') !== text) {
    throw new AttrError(`Cannot decode ${name}: not base64`)
  }
  return octets.toString('latin1')
}
