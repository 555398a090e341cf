/**
 * address-map - the lookup that canonical, virtual and BCC tables have in common
 */

/** What a table says about an address: the addresses in its place, in internal form, completed by the rules below. */
export type MapAnswer =
  | { readonly kind: 'found'; readonly addresses: readonly string[] }
  | { readonly kind: 'absent' }
  | { readonly kind: 'tryAgain'; readonly reason: string }

/**
 * Looks up `user+ext@domain`, `user@domain`, for domains of ours `user+ext` and `user`, then `@domain`. A result
 * `@other` keeps the local part, an extension that did not match is put back where that is configured, and a result
 * without domain is rewritten.
 */
export interface AddressMap {
  /** As in main.cf, for log lines: `virtual_alias_maps`. */
  readonly name: string
  /** @param address in internal form */
  find: (address: string) => Promise<MapAnswer>
}
