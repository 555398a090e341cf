/**
 * client-name - the host name of an address, believed only when it resolves back
 *
 * As the system finds them: /etc/hosts first, then DNS (getnameinfo and getaddrinfo, in the thread pool). The
 * answers are kept for a minute: a busy client costs one lookup, not one per connection.
 * Source: Postfix 3.7 smtpd(8), smtpd_peername_lookup; RFC 1912 2.1.
 */
import { lookupService } from 'node:dns/promises'
import { lookupNative } from '@posthorn/dns/native-lookup'
import { isValidHostname } from '@posthorn/address/hostname'
import { log } from '@posthorn/log/log'
import type { SessionClient } from './session-client.ts'

export type ClientName = Pick<
  SessionClient,
  'name' | 'nameStatus' | 'reverseName' | 'reverseStatus'
>

export const unknownName: ClientName = {
  name: 'unknown',
  nameStatus: 'none',
  reverseName: 'unknown',
  reverseStatus: 'none',
}

const MEMORY_MS = 60_000
const MEMORY_LIMIT = 1000

async function findReverseName(address: string): Promise<{ name: string } | 'tryAgain' | 'none'> {
  try {
    const { hostname } = await lookupService(address, 0)
    // without a name, getnameinfo(3) gives the address in digits
    return hostname === address || !isValidHostname(hostname) ? 'none' : { name: hostname }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    return code === 'EAI_AGAIN' ? 'tryAgain' : 'none'
  }
}

/** Looks both ways. Never rejects. */
async function findClientName(address: string): Promise<ClientName> {
  const found = await findReverseName(address)
  if (found === 'none' || found === 'tryAgain') {
    return { ...unknownName, nameStatus: found, reverseStatus: found }
  }
  const reverse = found.name
  const forward = await lookupNative(reverse)
  if (forward.kind === 'found' && forward.addresses.includes(address)) {
    return { name: reverse, nameStatus: 'ok', reverseName: reverse, reverseStatus: 'ok' }
  }
  const why = forward.kind === 'found' ? '' : `: ${forward.reason}`
  log.warning(`hostname ${reverse} does not resolve to address ${address}${why}`)
  const nameStatus = forward.kind === 'tryAgain' ? 'tryAgain' : 'none'
  return { name: 'unknown', nameStatus, reverseName: reverse, reverseStatus: 'ok' }
}

export class ClientNames {
  readonly #known = new Map<string, { answer: Promise<ClientName>; untilMs: number }>()

  async find(address: string): Promise<ClientName> {
    const known = this.#known.get(address)
    if (known !== undefined && known.untilMs > Date.now()) return known.answer
    this.#known.delete(address)
    if (this.#known.size >= MEMORY_LIMIT) {
      const [oldest] = this.#known.keys()
      if (oldest !== undefined) this.#known.delete(oldest)
    }
    const answer = findClientName(address)
    this.#known.set(address, { answer, untilMs: Date.now() + MEMORY_MS })
    return answer
  }
}
