/**
 * native-lookup - addresses as the system finds them: /etc/hosts first, then whatever nsswitch.conf names
 *
 * getaddrinfo(3) in the thread pool. For smtp_host_lookup = native and for sites without DNS.
 */
import { lookup } from 'node:dns/promises'

/** noData: the name is there, and has no address. failed: for good, and nobody knows why. */
export type NativeAnswer =
  | { kind: 'found'; addresses: readonly string[] }
  | { kind: 'notFound' | 'noData' | 'tryAgain' | 'failed'; reason: string }

/** UV_EAI_NODATA: Node has one code for it and for "no such name". */
const NO_ADDRESS = -3007

/** Both families unless one is wanted, in the order of the system (RFC 6724). `reason` is the resolver's own text. */
export async function lookupNative(host: string, family: 0 | 4 | 6 = 0): Promise<NativeAnswer> {
  try {
    const found = await lookup(host, { all: true, order: 'verbatim', family })
    return { kind: 'found', addresses: found.map((entry) => entry.address) }
  } catch (error) {
    const { code = '', errno = 0 } = error as NodeJS.ErrnoException
    if (errno === NO_ADDRESS) {
      return { kind: 'noData', reason: 'No address associated with hostname' }
    }
    if (code === 'ENOTFOUND') return { kind: 'notFound', reason: 'Name or service not known' }
    if (code === 'EAI_FAIL') {
      return { kind: 'failed', reason: 'Non-recoverable failure in name resolution' }
    }
    return { kind: 'tryAgain', reason: 'Temporary failure in name resolution' }
  }
}
