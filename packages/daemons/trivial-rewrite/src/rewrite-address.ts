/**
 * rewrite-address - from an address as people type it to the standard form user@domain
 *
 * In this order: a source route is stripped; without a domain, `site!user` and `user%site` become user@site;
 * a missing domain is appended; a trailing dot goes; a domain without dots gets $mydomain. Quoted local parts
 * are not looked into. Addresses are in external form, before and after.
 * Source: Postfix 3.7 ADDRESS_REWRITING_README; rewrite.ref has what the real one answers.
 */
import { quoteAddress, quoteLocalPart, unquoteAddress } from '@posthorn/address/quote-address'
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
      local: config.boolean('append_at_myorigin') ? config.origin() : '',
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
  if (domain.endsWith('.')) return withoutFinalDot(domain)
  const parent = settings.parentDomain[context]
  if (parent === '' || domain === '' || domain.startsWith('[') || domain.includes('.')) {
    return domain
  }
  return `${domain}.${parent}`
}

/** Without one dot at the end; two of them are a mistake that stays. */
export function withoutFinalDot(domain: string): string {
  return domain.endsWith('.') && !domain.endsWith('..') ? domain.slice(0, -1) : domain
}

/** White space around it goes, and a missing bracket is supplied. */
export function tidyDomain(domain: string): string {
  const trimmed = domain.trim()
  if (!trimmed.startsWith('[')) return trimmed
  const literal = withoutFinalDot(trimmed)
  return literal.endsWith(']') ? literal : `${literal}]`
}

/**
 * Routing in an address without domain, or in what is left when our own domain was taken off: made plain, then completed.
 * Internal form in and out; nothing in it counts as quoted.
 */
export function rewriteRouting(
  address: string,
  settings: RewriteSettings,
): { readonly local: string; readonly domain: string | undefined } {
  const text = stripSourceRoute(address)
  const at = text.lastIndexOf('@')
  const written =
    at < 0
      ? { local: text, domain: undefined }
      : { local: text.slice(0, at), domain: text.slice(at + 1) }
  const { local, domain } = written.domain === undefined ? unroute(written, settings) : written
  return { local, domain: completed(domain, 'local', settings) }
}

/** `site!user` and `user%site`, where they are allowed. */
function unroute(parts: Parts, settings: RewriteSettings): Parts {
  const swapped = settings.swapsBangPath ? splitBangPath(parts.local) : undefined
  const unhacked = settings.allowsPercentHack ? splitPercentHack(parts.local) : undefined
  return swapped ?? unhacked ?? parts
}

function completed(
  domain: string | undefined,
  context: 'local' | 'remote',
  settings: RewriteSettings,
): string | undefined {
  const appended = domain ?? (settings.origin[context] || undefined)
  return appended === undefined
    ? undefined
    : completeDomain(tidyDomain(appended), context, settings)
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
  // A line break or tab inside quotes counts as a blank: what we answer may be written on one line.
  const text = address.trim().replace(/[\t\r\n]/g, ' ')
  const { isQuoted, ...written } = splitExternal(stripSourceRoute(text))
  const isRouted = written.domain === undefined && !isQuoted
  const { local, domain } = isRouted ? unroute(written, settings) : written
  if (local === '' && (domain ?? '') === '') return isRouted && domain === '' ? '""@' : '""'
  const user = isQuoted ? local : local.trimEnd()
  const complete = completed(domain, context, settings)
  if (complete !== undefined) return `${quoteLocalPart(user)}@${complete}`
  return isQuoted ? quoteAddress(user) : quoteLocalPart(withoutFinalDot(user))
}
