/**
 * flush-protocol - asking flush(8) to remember deferred mail by destination, and to send it now
 *
 * One request per connection. The server also takes a trigger (trigger.ts) on the same socket: one or two octets are a
 * trigger, more are an attribute list. Clients do not ask about domains that fast_flush_domains does not match.
 *
 * Source: Postfix 3.7 flush(8).
 */
import type { AttrList } from './attr-list.ts'
import { statusFields } from './attr-groups.ts'
import { defineList, defineRequest, requestName, text, type RequestOf } from './attr-schema.ts'
import { oneShot } from './service-client.ts'
import { AttrError } from './wire-error.ts'

export const flushProtocol = 'queue_flush_protocol'

export const FLUSH_STATUS = { ok: 0, bad: 3, denied: 4, failed: -1 } as const

/** Remember that this message waits for this site. */
export const AddRequest = defineRequest('add', { site: text('site'), queueId: text('queue_id') })
/** Deliver all mail for this site now. */
export const SendSiteRequest = defineRequest('send_site', { site: text('site') })
/** Deliver this message now. */
export const SendFileRequest = defineRequest('send_file', { queueId: text('queue_id') })
/** Refresh the logs that were not refreshed for a while. */
export const RefreshRequest = defineRequest('rfrsh', {})
/** Refresh all logs. */
export const PurgeRequest = defineRequest('purge', {})

export type FlushRequest =
  | RequestOf<typeof AddRequest>
  | RequestOf<typeof SendSiteRequest>
  | RequestOf<typeof SendFileRequest>
  | RequestOf<typeof RefreshRequest>
  | RequestOf<typeof PurgeRequest>

export const FlushReply = defineList(statusFields)

/**
 * @returns undefined for a request that flush(8) does not know: it hangs up then
 * @throws {AttrError} missing, extra, misplaced or malformed attributes: the status is `bad`
 */
export function parseFlushRequest(attrs: AttrList): FlushRequest | undefined {
  const kind = requestName(attrs)
  switch (kind) {
    case undefined:
      throw new AttrError('Cannot parse flush request: want the attribute request first')
    case AddRequest.request:
      return AddRequest.parse(attrs)
    case SendSiteRequest.request:
      return SendSiteRequest.parse(attrs)
    case SendFileRequest.request:
      return SendFileRequest.parse(attrs)
    case RefreshRequest.request:
      return RefreshRequest.parse(attrs)
    case PurgeRequest.request:
      return PurgeRequest.parse(attrs)
    default:
      return undefined
  }
}

export function encodeFlushRequest(request: FlushRequest): string {
  switch (request.request) {
    case 'add':
      return AddRequest.encode(request)
    case 'send_site':
      return SendSiteRequest.encode(request)
    case 'send_file':
      return SendFileRequest.encode(request)
    case 'rfrsh':
      return RefreshRequest.encode(request)
    case 'purge':
      return PurgeRequest.encode(request)
  }
}

/**
 * Asks the service at `path` (`public/flush`).
 *
 * @returns FLUSH_STATUS
 * @throws as Channel.connect(), when the service cannot be asked
 */
export async function sendFlushRequest(
  path: string,
  request: FlushRequest,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<number> {
  const reply = await oneShot(path, encodeFlushRequest(request), {
    protocol: flushProtocol,
    ...options,
  })
  return FlushReply.parse(reply).status
}
