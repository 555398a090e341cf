/**
 * XCLIENT - a trusted program in front of us says whom it speaks for; the session begins anew as that client's
 *
 * What the command does not name stays as it was, except for the greeting: HELO and PROTO are those of this command, or
 * none. Only smtpd_authorized_xclient_hosts may do this; afterwards the new client's rights count.
 * Source: Postfix 3.7 XCLIENT_README.
 */
import { isIPv6 } from 'node:net'
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
import { clientLabel, type NameStatus, type SessionClient } from '../session-client.ts'
import type { Session } from '../session.ts'
import type { Verb } from '../verb.ts'

/** LOGIN is taken and forgotten: nobody is authenticated here. */
export const XCLIENT_KEYWORD =
  'XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT'

export const xclient: Verb = {
  name: 'XCLIENT',
  async serve(session, command) {
    const refusal =
      session.transaction !== undefined
        ? '503 5.5.1 Error: MAIL transaction in progress'
        : command.words.length === 0
          ? '501 5.5.4 Syntax: XCLIENT attribute=value...'
          : session.permissions.mayXclient
            ? undefined
            : '550 5.7.0 Error: insufficient authorization'
    if (refusal !== undefined) {
      session.reply(refusal)
      return 'error'
    }
    try {
      impersonate(session, parseClientAttributes(command.words))
    } catch (error) {
      if (!(error instanceof AttributeError)) throw error
      session.reply(error.reply)
      return 'error'
    }
    await session.welcome()
    return 'restarted'
  },
}

/** Changes the session's client, or nothing. @throws {AttributeError} */
function impersonate(session: Session, attributes: readonly ClientAttribute[]): void {
  const client: { -readonly [K in keyof SessionClient]: SessionClient[K] } = { ...session.client }
  const { hasIpv6, isPortLogged } = session.host.settings
  let helo: string | undefined
  let protocol: Session['protocol'] = 'SMTP'
  for (const [name, value] of attributes) {
    switch (name) {
      case 'NAME':
        client.nameStatus = statusOf(value)
        client.name = parsePerhapsLater(name, value)
        if (client.nameStatus !== 'ok') break
        client.reverseName = client.name
        client.reverseStatus = 'ok'
        break
      case 'REVERSE_NAME':
        client.reverseStatus = statusOf(value)
        client.reverseName = parsePerhapsLater(name, value)
        break
      case 'ADDR':
        client.address = parseAddress(name, value, hasIpv6)
        client.family = isIPv6(client.address) ? 'inet6' : 'inet'
        break
      case 'PORT':
        client.port = parsePort(name, value)
        break
      case 'DESTADDR':
        client.serverAddress = parseAddress(name, value, hasIpv6)
        break
      case 'DESTPORT':
        client.serverPort = parsePort(name, value)
        break
      case 'HELO':
        helo = isUnavailable(value) ? undefined : value
        break
      case 'PROTO': {
        const word = value.toUpperCase()
        if (word !== 'SMTP' && word !== 'ESMTP') throw badSyntax(name, value)
        protocol = word
        break
      }
      case 'LOGIN':
        break
      default:
        throw new AttributeError(`Bad XCLIENT attribute name: ${name}`)
    }
  }
  client.label = clientLabel(client, isPortLogged)
  session.reset()
  session.client = client
  session.helo = helo
  session.protocol = protocol
}

/** [TEMPUNAVAIL]: DNS could not say. */
function statusOf(value: string): NameStatus {
  if (value.toUpperCase() === '[TEMPUNAVAIL]') return 'tryAgain'
  return isUnavailable(value) ? 'none' : 'ok'
}

function parsePerhapsLater(name: string, value: string): string {
  return statusOf(value) === 'tryAgain' ? 'unknown' : parseName(name, value)
}
