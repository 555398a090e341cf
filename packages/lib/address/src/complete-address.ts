/**
 * complete-address - addresses that no rewriting rule of trivial-rewrite(8) can change
 *
 * A plain local part without `%`, `!` or quotes, and a domain with a dot and without one at its end. The internal and the
 * external form of such an address are the same.
 */
const complete =
  /^[A-Za-z0-9#$&'*+/=?^_`{|}~\x80-\xff-]+(?:\.[A-Za-z0-9#$&'*+/=?^_`{|}~\x80-\xff-]+)*@[A-Za-z0-9_\x80-\xff-]+(?:\.[A-Za-z0-9_\x80-\xff-]+)+$/

/** Would rewriting give the same address back. */
export function isCompleteAddress(address: string): boolean {
  return complete.test(address)
}
