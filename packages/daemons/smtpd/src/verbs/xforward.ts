/**
 * XFORWARD - a filter that passes mail on says where the next message came from, for the log
 *
 * Access control goes on seeing the filter itself; only log lines, and what later programs log, name the origin. Holds
 * for one message. Source: Postfix 3.7 XFORWARD_README.
 */
import {
  AttributeError,
  badSyntax,
  isUnavailable,
  parseAddress,
  parseClientAttributes,
  parseName,
  parsePort,
  type ClientAttribute,
} from '../client-attributes.ts'
import { unknownOrigin, type ForwardedOrigin } from '../forwarded-origin.ts'
import type { Verb } from '../verb.ts'

export const XFORWARD_KEYWORD = 'XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT'

/** RFC 3848 names are short; so are those of other protocols. */
const PROTOCOL_LIMIT = 64

export const xforward: Verb = {
  name: 'XFORWARD',
  serve(session, command) {
    const refusal =
      session.transaction !== undefined
        ? '503 5.5.1 Error: MAIL transaction in progress'
        : command.words.length === 0
          ? '501 5.5.4 Syntax: XFORWARD attribute=value...'
          : session.permissions.mayXforward
            ? undefined
            : '550 5.7.0 Error: insufficient authorization'
    if (refusal !== undefined) {
      session.reply(refusal)
      return 'error'
    }
    try {
      const attributes = parseClientAttributes(command.words)
      const before = session.forwarded ?? unknownOrigin
      session.forwarded = withAttributes(before, attributes, session.host.settings.hasIpv6)
    } catch (error) {
      if (!(error instanceof AttributeError)) throw error
      session.reply(error.reply)
      return 'error'
    }
    session.reply('250 2.0.0 Ok')
    return 'done'
  },
}

/** @throws {AttributeError} */
function withAttributes(
  before: ForwardedOrigin,
  attributes: readonly ClientAttribute[],
  hasIpv6: boolean,
): ForwardedOrigin {
  const origin = { ...before }
  for (const [name, value] of attributes) {
    switch (name) {
      case 'NAME':
        origin.name = parseName(name, value)
        break
      case 'ADDR':
        origin.address = parseAddress(name, value, hasIpv6)
        break
      case 'PORT':
        origin.port = parsePort(name, value)
        break
      case 'PROTO':
        if (value.length > PROTOCOL_LIMIT) throw badSyntax(name, value)
        origin.protocol = isUnavailable(value) ? 'unknown' : value
        break
      case 'HELO':
        origin.helo = isUnavailable(value) ? undefined : value
        break
      case 'IDENT':
        origin.ident = isUnavailable(value) ? undefined : value
        continue
      case 'SOURCE':
        origin.context = parseSource(value)
        continue
      default:
        throw new AttributeError(`Bad XFORWARD attribute name: ${name}`)
    }
    origin.hasClient = true
  }
  return origin
}

/** @throws {AttributeError} */
function parseSource(value: string): 'local' | 'remote' | undefined {
  if (isUnavailable(value)) return undefined
  const word = value.toLowerCase()
  if (word !== 'local' && word !== 'remote') throw badSyntax('SOURCE', value)
  return word
}
