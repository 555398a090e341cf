/**
 * native-lookup - addresses as the system finds them: /etc/hosts first, then whatever nsswitch.conf names
 *
 * getaddrinfo(3) in the thread pool. For smtp_host_lookup = native and for sites without DNS.
 */
import { lookup } from 'node:dns/promises'

export type NativeAnswer =
  | { kind: 'found'; addresses: readonly string[] }
  | { kind: 'notFound' | 'tryAgain'; reason: string }

/** Both families unless one is wanted, in the order of the system (RFC 6724). `reason` is the resolver's own text. */
export async function lookupNative(host: string, family: 0 | 4 | 6 = 0): Promise<NativeAnswer> {
  try {
    const found = await lookup(host, { all: true, order: 'verbatim', family })
    return { kind: 'found', addresses: found.map((entry) => entry.address) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    // Node has one code for "no such name" and "no address"
    if (code === 'ENOTFOUND') return { kind: 'notFound', reason: 'Name or service not known' }
    return { kind: 'tryAgain', reason: 'Temporary failure in name resolution' }
  }
}
