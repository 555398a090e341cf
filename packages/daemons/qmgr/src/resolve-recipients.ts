/**
 * resolve-recipients - which transport and next-hop each recipient goes to
 *
 * Mostly that is what trivial-rewrite(8) says. Before it come requests of the message (redirect, content filter),
 * after it what the administrator or the state of the queue says against a delivery.
 *
 * Source: Postfix 3.7 qmgr(8).
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import { unquoteAddress } from '@posthorn/address/quote-address'
import { log } from '@posthorn/log/log'
import type { Recipient } from '@posthorn/wire/attr-groups'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import { RESOLVE_FLAGS, type RewriteClient } from '@posthorn/wire/rewrite-protocol'
import { ServiceError } from '@posthorn/wire/wire-error'
import type { QmgrSettings } from './qmgr-settings.ts'
import type { ActiveMessage } from './schedule/message.ts'
import type { Route } from './schedule/scheduler.ts'
import { compareRecipients } from './schedule/sort-recipients.ts'

/** Questions to trivial-rewrite(8) that may be open for one message. */
const questionsAtOnce = 8

export interface ResolveOptions {
  readonly settings: QmgrSettings
  readonly rewrite: RewriteClient
  /** The message or the whole queue is being flushed. */
  readonly ignoresDeferTransports: boolean
  /** Probes in the active queue. */
  readonly probeCount: number
}

export type Resolution =
  | { readonly kind: 'route'; readonly route: Route }
  /** A notice about a failed notice of ours: it ends here. */
  | { readonly kind: 'discard'; readonly recipient: Recipient }

/** Sorts the recipients and finds their ways; the order of the result is that of sorting. */
export async function resolveRecipients(
  message: ActiveMessage,
  recipients: readonly Recipient[],
  options: ResolveOptions,
): Promise<Resolution[]> {
  if (recipients.length === 0) return []
  const sorted = recipients.length === 1 ? recipients : [...recipients].sort(compareRecipients)
  const wanted = await applyRedirect(message, sorted, options)
  const found: Resolution[] = []
  let next = 0
  const resolveSome = async (): Promise<void> => {
    for (;;) {
      const at = next++
      const recipient = wanted[at]
      if (recipient === undefined) return
      found[at] = await resolveRecipient(message, recipient, options)
    }
  }
  const helpers = Math.min(questionsAtOnce, wanted.length)
  await Promise.all(Array.from({ length: helpers }, resolveSome))
  return found
}

async function applyRedirect(
  message: ActiveMessage,
  sorted: readonly Recipient[],
  { rewrite }: ResolveOptions,
): Promise<readonly Recipient[]> {
  const { redirect } = message.facts.envelope
  const [first] = sorted
  if (redirect === '' || first === undefined) return sorted
  message.unreadCount = 0
  message.resumeOffset = 0
  try {
    const rewritten = await rewrite.rewrite('local', quoteAddress(redirect))
    return [{ ...first, recipient: unquoteAddress(rewritten) }]
  } catch (error) {
    // Not rewritten it may still be resolved; when not, it is deferred for the same reason.
    if (!(error instanceof ServiceError)) throw error
    return [{ ...first, recipient: redirect }]
  }
}

async function resolveRecipient(
  message: ActiveMessage,
  recipient: Recipient,
  options: ResolveOptions,
): Promise<Resolution> {
  const { settings } = options
  const { envelope, isForceExpired, unthrottles } = message.facts
  const isProbe = (envelope.traceFlags & DELIVERY_FLAGS.mtaVerify) !== 0
  const toward = await findWay(recipient.recipient)
  const resolved =
    toward.recipient === recipient.recipient
      ? recipient
      : { ...recipient, recipient: toward.recipient }

  if (resolved.recipient === '') return send('error', '5.1.3 null recipient address')
  if (isForceExpired) return send('retry', '4.7.0 message is administratively expired')
  if (toward.isLocal && isDoubleBounce(resolved.recipient)) {
    return { kind: 'discard', recipient: resolved }
  }
  const isFlushed = options.ignoresDeferTransports || unthrottles
  if (!isFlushed && settings.deferTransports.has(toward.transport)) {
    return send('retry', '4.3.2 deferred transport')
  }
  if (isProbe && options.probeCount > settings.probeLimit) {
    return send('retry', '4.3.2 Too many address verification requests')
  }
  return send(toward.transport, toward.nexthop)

  function send(transport: string, nexthop: string): Resolution {
    return { kind: 'route', route: { recipient: resolved, transport, nexthop } }
  }

  async function findWay(address: string): Promise<Way> {
    const isRedirected = envelope.redirect !== ''
    if (!isRedirected && envelope.filter !== '' && !isProbe) {
      return filterWay(settings, envelope.filter, address)
    }
    try {
      const { rewrite } = options
      const reply = isProbe
        ? await rewrite.resolveProbe(envelope.sender, address)
        : await rewrite.resolve(envelope.sender, address)
      if ((reply.flags & RESOLVE_FLAGS.fail) !== 0) return resolverFailed(address)
      if ((reply.flags & RESOLVE_FLAGS.error) !== 0) {
        return way('error', '5.1.3 bad address syntax', address)
      }
      const isLocal = (reply.flags & RESOLVE_FLAGS.classLocal) !== 0
      return { ...way(reply.transport, reply.nexthop, reply.recipient), isLocal }
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      log.warning(`${message.id}: ${error.message}`)
      return resolverFailed(address)
    }
  }

  function isDoubleBounce(address: string): boolean {
    const local = address.slice(0, Math.max(0, address.lastIndexOf('@')))
    return local.toLowerCase() === settings.doubleBounceSender.toLowerCase()
  }
}

interface Way {
  readonly transport: string
  readonly nexthop: string
  readonly recipient: string
  readonly isLocal: boolean
}

function way(transport: string, nexthop: string, recipient: string): Way {
  return { transport, nexthop, recipient, isLocal: false }
}

function resolverFailed(address: string): Way {
  return way('retry', '4.3.0 address resolver failure', address)
}

/** `transport:nexthop` of a content filter. */
function filterWay(settings: QmgrSettings, filter: string, address: string): Way {
  const colon = filter.indexOf(':')
  const transport = colon < 0 ? filter : filter.slice(0, colon)
  const given = colon < 0 ? '' : filter.slice(colon + 1)
  const at = address.lastIndexOf('@')
  const domain = at < 0 ? '' : address.slice(at + 1)
  return way(transport, given || settings.filterNexthop || domain || settings.hostname, address)
}
