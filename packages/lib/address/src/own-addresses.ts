/**
 * own-addresses - the addresses at which we are reachable: inet_interfaces, proxy_interfaces
 *
 * Mail for a host with one of them would come back to us. Source: Postfix 3.7.
 */
import { networkInterfaces } from 'node:os'
import { isIPv6 } from 'node:net'

export interface OwnAddresses {
  /** inet_interfaces, expanded. */
  interfaces: ReadonlySet<string>
  /** inet_interfaces and proxy_interfaces. */
  all: ReadonlySet<string>
}

/** One spelling for each IP address: `0:0::1` and `::1` are the same. */
export function canonicalAddress(address: string): string {
  if (!isIPv6(address)) return address
  return new URL(`http://[${address}]/`).hostname.slice(1, -1)
}

function listInterfaces(isLoopbackOnly: boolean): string[] {
  const entries = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return entries.filter((entry) => !isLoopbackOnly || entry.internal).map((entry) => entry.address)
}

/**
 * `hostAddresses`: what a host name in the list stands for. Words that cannot be resolved are passed over: here
 * they only decide about loops.
 */
export async function findOwnAddresses(
  inetInterfaces: readonly string[],
  proxyInterfaces: readonly string[],
  hostAddresses: (name: string) => Promise<readonly string[]>,
): Promise<OwnAddresses> {
  const expand = async (words: readonly string[]): Promise<string[]> => {
    const found = await Promise.all(
      words.map(async (word) => {
        const bare = word.replace(/^\[(?:ipv6:)?(.*)\]$/i, '$1')
        if (word === 'all' || word === 'loopback-only') return listInterfaces(word !== 'all')
        return /^[\d.]+$/.test(bare) || isIPv6(bare) ? [bare] : hostAddresses(bare)
      }),
    )
    return found.flat().map(canonicalAddress)
  }
  const interfaces = new Set(await expand(inetInterfaces))
  return { interfaces, all: new Set([...interfaces, ...(await expand(proxyInterfaces))]) }
}
