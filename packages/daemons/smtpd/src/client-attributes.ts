/**
 * client-attributes - `NAME=spike.example ADDR=192.0.2.7`: the arguments of XCLIENT and XFORWARD
 *
 * Values are xtext; what is no xtext is taken as it stands. Characters that could hurt a log line or a header
 * become `?`. Source: Postfix 3.7 XCLIENT_README, XFORWARD_README.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { isValidHostname } from '@posthorn/address/hostname'
import { decodeXtext } from './xtext.ts'

export type ClientAttribute = readonly [name: string, value: string]

const VALUE_LIMIT = 255
/** What could hurt a log line or a header. */
const UNSAFE = /[\x00-\x20<>()\\";@\x7f-\xff]/g

/** Says what to reply to attributes that cannot be accepted. */
export class AttributeError extends SyntaxError {
  readonly code = 'POSTHORN_CLIENT_ATTRIBUTE'
  readonly reply: string

  constructor(text: string) {
    super(text)
    this.reply = `501 5.5.4 ${text}`
  }
}

export const badSyntax = (name: string, value: string): AttributeError =>
  new AttributeError(`Bad ${name} syntax: ${value}`)

/** Names in upper case. @throws {AttributeError} */
export function parseClientAttributes(words: readonly string[]): ClientAttribute[] {
  return words.map((word) => {
    const equals = word.indexOf('=')
    const coded = word.slice(equals + 1)
    if (equals < 0 || coded === '') throw new AttributeError('Error: attribute=value expected')
    const value = (decodeXtext(coded) ?? coded).replace(UNSAFE, '?')
    if (value.length > VALUE_LIMIT) throw new AttributeError('Error: attribute value too long')
    return [word.slice(0, equals).toUpperCase(), value]
  })
}

export function isUnavailable(value: string): boolean {
  return value.toUpperCase() === '[UNAVAILABLE]'
}

/** A host name, or `fallback` for [UNAVAILABLE]. @throws {AttributeError} */
export function parseName(name: string, value: string): string {
  if (isUnavailable(value)) return 'unknown'
  if (!isValidHostname(value)) throw badSyntax(name, value)
  return value
}

/** An address without `IPV6:`; `unknown` for [UNAVAILABLE]. IPv6 only where inet_protocols has it. @throws {AttributeError} */
export function parseAddress(name: string, value: string, hasIpv6: boolean): string {
  if (isUnavailable(value)) return 'unknown'
  if (isIPv4(value)) return value
  const inet6 = /^IPV6:(.*)$/i.exec(value)?.[1]
  if (inet6 !== undefined && isIPv6(inet6) && hasIpv6) return inet6
  throw badSyntax(name, value)
}

/** @throws {AttributeError} */
export function parsePort(name: string, value: string): string {
  if (isUnavailable(value)) return 'unknown'
  if (!/^\d{1,20}$/.test(value)) throw badSyntax(name, value)
  return value
}
