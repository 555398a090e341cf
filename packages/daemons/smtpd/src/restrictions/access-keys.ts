/**
 * access-keys - under which keys an access(5) table is searched for a client, a name or an address
 *
 * From the most specific to the most general; the first key that is found decides. `isDotted`: subdomains are
 * found under `.example.com` only (smtpd_access_maps is not in parent_domain_matches_subdomains).
 */
import { splitAddress, splitExtension, type ExtensionRules } from '@posthorn/address/split-address'

/** host.example.com, example.com, com. */
export function domainKeys(domain: string, isDotted: boolean): string[] {
  const keys = [domain]
  for (let dot = domain.indexOf('.', 1); dot >= 0; dot = domain.indexOf('.', dot + 1)) {
    keys.push(isDotted ? domain.slice(dot) : domain.slice(dot + 1))
  }
  return keys
}

/** 192.0.2.1, 192.0.2, 192.0, 192; likewise groups of an IPv6 address. */
export function addressKeys(address: string): string[] {
  const keys = [address]
  const separator = address.includes(':') ? ':' : '.'
  let rest = address
  for (let at = rest.lastIndexOf(separator); at > 0; at = rest.lastIndexOf(separator)) {
    rest = rest.slice(0, at).replace(/:$/, '')
    if (rest === '') break
    keys.push(rest)
  }
  return keys
}

/** user+ext@domain, user@domain, then the domain and its parents, then user+ext@ and user@. */
export function mailKeys(address: string, rules: ExtensionRules, isDotted: boolean): string[] {
  const { local, domain } = splitAddress(address)
  if (domain === undefined) return [address]
  const user = splitExtension(local, rules)?.user
  const keys = [address]
  if (user !== undefined) keys.push(`${user}@${domain}`)
  keys.push(...domainKeys(domain, isDotted), `${local}@`)
  if (user !== undefined) keys.push(`${user}@`)
  return keys
}
