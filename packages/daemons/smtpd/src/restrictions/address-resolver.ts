/**
 * address-resolver - where mail for an address would go, as trivial-rewrite(8) says
 *
 * Restrictions that ask about a destination see the address as it will be delivered: completed in the local
 * context, then resolved. The client of trivial-rewrite(8) remembers recent answers.
 */
import { isCompleteAddress } from '@posthorn/address/complete-address'
import { quoteAddress, unquoteAddress } from '@posthorn/address/quote-address'
import {
  RESOLVE_FLAGS,
  type ResolveReply,
  type RewriteClient,
} from '@posthorn/wire/rewrite-protocol'
import { ServiceError } from '@posthorn/wire/wire-error'

/** unknown: a table or service could not say. */
export type Resolution =
  ({ readonly kind: 'resolved' } & ResolveReply) | { readonly kind: 'unknown' }

export async function resolveAddress(
  rewriter: RewriteClient,
  sender: string,
  address: string,
): Promise<Resolution> {
  try {
    const completed = isCompleteAddress(address)
      ? address
      : unquoteAddress(await rewriter.rewrite('local', quoteAddress(address)))
    const reply = await rewriter.resolve(sender, completed)
    if ((reply.flags & RESOLVE_FLAGS.fail) !== 0) return { kind: 'unknown' }
    return { kind: 'resolved', ...reply }
  } catch (error) {
    if (error instanceof ServiceError) return { kind: 'unknown' }
    throw error
  }
}

/** Mail for it is delivered here, or relayed to a domain that we serve; never passed on for strangers. */
export function isOurs(resolution: ResolveReply): boolean {
  const { flags, recipient } = resolution
  if (!recipient.includes('@')) return true
  // user%elsewhere@here: the relay is hidden in the local part
  if ((flags & RESOLVE_FLAGS.routed) !== 0) return false
  const ours =
    RESOLVE_FLAGS.classLocal |
    RESOLVE_FLAGS.classVirtualAlias |
    RESOLVE_FLAGS.classVirtualMailbox |
    RESOLVE_FLAGS.classRelay
  return (flags & ours) !== 0
}
