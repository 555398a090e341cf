/**
 * rewrite-address - from an address as people type it to the standard form user@domain
 *
 * In this order: a source route is stripped; without a domain, `site!user` and `user%site` become user@site;
 * a missing domain is appended; a trailing dot goes; a domain without dots gets $mydomain. Quoted local parts
 * are not looked into. Addresses are in external form, before and after.
 * Source: Postfix 3.7 ADDRESS_REWRITING_README; rewrite.ref has what the real one answers.
 */
import { quoteLocalPart, unquoteAddress } from '@posthorn/address/quote-address'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { splitBangPath, splitPercentHack, stripSourceRoute } from './routing-syntax.ts'

export interface RewriteSettings {
  readonly swapsBangPath: boolean
  readonly allowsPercentHack: boolean
  /** Appended to addresses without domain, per context; empty = nothing is appended. */
  readonly origin: Readonly<Record<'local' | 'remote', string>>
  /** Appended with a dot to domains without one, per context; empty = nothing is appended. */
  readonly parentDomain: Readonly<Record<'local' | 'remote', string>>
}

export function readRewriteSettings(config: MainConfig): RewriteSettings {
  const remoteDomain = config.text('remote_header_rewrite_domain')
  const appendsDomain = config.boolean('append_dot_mydomain')
  return {
    swapsBangPath: config.boolean('swap_bangpath'),
    allowsPercentHack: config.boolean('allow_percent_hack'),
    origin: {
      local: config.boolean('append_at_myorigin') ? config.text('myorigin') : '',
      remote: remoteDomain,
    },
    parentDomain: {
      local: appendsDomain ? config.text('mydomain') : '',
      remote: appendsDomain ? remoteDomain : '',
    },
  }
}

interface Parts {
  /** Internal form. */
  readonly local: string
  readonly domain: string | undefined
}

/** The last `@` outside quotes separates; quotes and backslashes of the local part go. */
function splitExternal(address: string): Parts & { readonly isQuoted: boolean } {
  if (!/["\\]/.test(address)) {
    const at = address.lastIndexOf('@')
    if (at < 0) return { local: address, domain: undefined, isQuoted: false }
    return { local: address.slice(0, at), domain: address.slice(at + 1), isQuoted: false }
  }
  const local = /^(?:[^"\\]|\\.|"(?:[^"\\]|\\.)*(?:"|$))*(?=@)/s.exec(address)?.[0]
  if (local === undefined) {
    const isQuoted = true
    return { local: unquoteAddress(`${address}@`).slice(0, -1), domain: undefined, isQuoted }
  }
  const internal = unquoteAddress(`${local}@`).slice(0, -1)
  return { local: internal, domain: address.slice(local.length + 1), isQuoted: true }
}

function completeDomain(
  domain: string,
  context: 'local' | 'remote',
  settings: RewriteSettings,
): string {
  if (domain.endsWith('.')) return domain.slice(0, -1)
  const parent = settings.parentDomain[context]
  if (parent === '' || domain === '' || domain.startsWith('[') || domain.includes('.')) {
    return domain
  }
  return `${domain}.${parent}`
}

/** The address in standard form. An empty one stays empty. */
export function rewriteAddress(
  address: string,
  context: 'local' | 'remote',
  settings: RewriteSettings,
): string {
  if (address === '') {
    log.warning('rewrite_service: empty address, ignored')
    return ''
  }
  const { isQuoted, ...written } = splitExternal(stripSourceRoute(address.trim()))
  let parts: Parts = written
  if (parts.domain === undefined && !isQuoted) {
    const swapped = settings.swapsBangPath ? splitBangPath(parts.local) : undefined
    const unhacked = settings.allowsPercentHack ? splitPercentHack(parts.local) : undefined
    parts = swapped ?? unhacked ?? parts
  }
  const { local, domain } = parts
  if (local === '' && (domain ?? '') === '') return '""'
  const complete =
    domain === undefined
      ? settings.origin[context] || undefined
      : completeDomain(domain, context, settings)
  return complete === undefined ? quoteLocalPart(local) : `${quoteLocalPart(local)}@${complete}`
}
