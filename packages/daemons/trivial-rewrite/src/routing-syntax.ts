/**
 * routing-syntax - the ways of writing a route into an address that are older than MX records
 *
 *     @a.example,@b.example:user@c.example    RFC 5321 appendix C: deliver to the last
 *     site!user                               UUCP: the first site is the next
 *     user%site                               the "percent hack": the last site is the next
 */
export interface Rerouted {
  readonly local: string
  readonly domain: string
}

const sourceRoute = /^@[^:"]*:/

/** The address behind a source route; the same text when there is none. */
export function stripSourceRoute(address: string): string {
  return address.startsWith('@') ? address.replace(sourceRoute, '') : address
}

/** `site!user`: user at site. */
export function splitBangPath(local: string): Rerouted | undefined {
  const bang = local.indexOf('!')
  return bang < 0 ? undefined : { local: local.slice(bang + 1), domain: local.slice(0, bang) }
}

/** `user%site`: user at site. */
export function splitPercentHack(local: string): Rerouted | undefined {
  const percent = local.lastIndexOf('%')
  if (percent < 0) return undefined
  return { local: local.slice(0, percent), domain: local.slice(percent + 1) }
}

/** Could some system read more routing into this local part? */
export function hasRouting(local: string): boolean {
  return /[%!@]/.test(local)
}
