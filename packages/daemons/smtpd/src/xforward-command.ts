/**
 * xforward-command - tells the next program who the client is: XFORWARD as a client says it
 *
 * Lines of at most 512 octets, so a long list takes several. Source: Postfix 3.7 XFORWARD_README.
 */
import { isIPv6 } from 'node:net'
import type { Session } from './session.ts'

const LINE_LIMIT = 512
const NAMES = ['NAME', 'ADDR', 'PORT', 'HELO', 'IDENT', 'PROTO', 'SOURCE']

/** Commands with those attributes that the other side has announced. */
export function encodeClientAttributes(session: Session, announced: readonly string[]): string[] {
  const { client, forwarded, helo, protocol } = session
  const origin =
    forwarded?.hasClient === true
      ? forwarded
      : { ...client, helo, protocol, ident: forwarded?.ident, context: forwarded?.context }
  const context = forwarded?.context ?? session.rewriteContext
  const values: Readonly<Record<string, string | undefined>> = {
    NAME: known(origin.name),
    ADDR: isIPv6(origin.address) ? `IPV6:${origin.address}` : known(origin.address),
    PORT: known(origin.port),
    HELO: origin.helo,
    IDENT: origin.ident,
    PROTO: known(origin.protocol),
    SOURCE: context.toUpperCase(),
  }
  const lines: string[] = []
  let line = 'XFORWARD'
  for (const name of NAMES.filter((word) => announced.includes(word))) {
    const word = ` ${name}=${encodeXtext(values[name] ?? '[UNAVAILABLE]')}`
    if (line.length + word.length > LINE_LIMIT - 2) {
      lines.push(line)
      line = 'XFORWARD'
    }
    line += word
  }
  if (line !== 'XFORWARD') lines.push(line)
  return lines
}

function known(value: string): string | undefined {
  return value === 'unknown' ? undefined : value
}

/** RFC 3461 4: xtext. */
function encodeXtext(text: string): string {
  return text.replace(
    /[^!-*,-<>-~]/g,
    (char) => `+${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}
