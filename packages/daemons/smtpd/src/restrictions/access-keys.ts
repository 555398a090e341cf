/**
 * access-keys - under which keys an access(5) table is searched for a client, a name or an address
 *
 * From the most specific to the most general; the first key that is found decides. Tables of patterns are
 * asked for the whole only, not for its parts.
 */
import { splitAddress, splitExtension, type ExtensionRules } from '@posthorn/address/split-address'

export interface AccessKey {
  readonly key: string
  readonly isPart: boolean
}

const whole = (key: string): AccessKey => ({ key, isPart: false })
const part = (key: string): AccessKey => ({ key, isPart: true })

/**
 * host.example.com, example.com, com. `isDotted`: subdomains are found under `.example.com` only
 * (smtpd_access_maps is not in parent_domain_matches_subdomains).
 */
export function domainKeys(domain: string, isDotted: boolean): AccessKey[] {
  const keys = [whole(domain)]
  for (let dot = domain.indexOf('.', 1); dot >= 0; dot = domain.indexOf('.', dot + 1)) {
    keys.push(part(domain.slice(isDotted ? dot : dot + 1)))
  }
  return keys
}

/** 192.0.2.1, 192.0.2, 192.0, 192; likewise groups of an IPv6 address. */
export function addressKeys(address: string): AccessKey[] {
  const keys = [whole(address)]
  const separator = address.includes(':') ? ':' : '.'
  let rest = address
  for (let at = rest.lastIndexOf(separator); at > 0; at = rest.lastIndexOf(separator)) {
    rest = rest.slice(0, at).replace(/:$/, '')
    if (rest === '') break
    keys.push(part(rest))
  }
  return keys
}

/** user+ext@domain, user@domain, then the domain and its parents, then user+ext@ and user@. */
export function mailKeys(address: string, rules: ExtensionRules, isDotted: boolean): AccessKey[] {
  const { local, domain } = splitAddress(address)
  if (domain === undefined) return [whole(address)]
  const user = splitExtension(local, rules)?.user
  const keys = [whole(address)]
  if (user !== undefined) keys.push(part(`${user}@${domain}`))
  keys.push(...domainKeys(domain, isDotted).map(({ key }) => part(key)), part(`${local}@`))
  if (user !== undefined) keys.push(part(`${user}@`))
  return keys
}
