/**
 * bounce-protocol - asking bounce(8), in its roles bounce, defer and trace, to record or to report
 *
 * One request per connection; its first attribute is a number. The reply is a status, 0 for done. A client tries
 * once: when a bounce or defer record cannot be written, the recipient is deferred.
 * The octets of a parsed request are as received: bounce(8) makes them printable before they go into a log file.
 *
 * Source: Postfix 3.7 bounce(8).
 */
import type { AttrList } from './attr-list.ts'
import { dsnGroup, recipientGroup, statusFields } from './attr-groups.ts'
import { defineList, defineRequest, int, requestName, text, type RequestOf } from './attr-schema.ts'
import { oneShot } from './service-client.ts'
import { AttrError } from './wire-error.ts'

export const bounceProtocol = 'delivery_status_protocol'

export const BOUNCE_FLAGS = {
  /** delete the log file when this request fails */
  clean: 1,
  /** also mark the recipients done in the queue file */
  deleteRecipients: 2,
} as const

const kindName = 'nrequest'

const reportFields = {
  /** BOUNCE_FLAGS and the trace bits of DELIVERY_FLAGS */
  flags: int('flags'),
  queueName: text('queue_name'),
  queueId: text('queue_id'),
  /** 8bit, 7bit, or empty */
  encoding: text('encoding'),
  smtpUtf8: int('smtputf8'),
  sender: text('sender'),
  envelopeId: text('envelope_id'),
  returnFlags: int('ret_flags'),
}

/** Write what happened to one recipient into the log of the message. */
export const AppendRequest = defineRequest(
  0,
  { flags: int('flags'), queueId: text('queue_id'), recipient: recipientGroup, dsn: dsnGroup },
  kindName,
)
/** Send the bounce log to the sender, then delete it. */
export const FlushLogRequest = defineRequest(1, reportFields, kindName)
/** Send a notice of delay, and keep the log. */
export const WarnRequest = defineRequest(2, reportFields, kindName)
/** As FlushLogRequest, with a notice per recipient. */
export const VerpRequest = defineRequest(
  3,
  { ...reportFields, delimiters: text('verp_delimiters') },
  kindName,
)
/** Bounce one recipient at once, without a log. */
export const BounceOneRequest = defineRequest(
  4,
  { ...reportFields, recipient: recipientGroup, dsn: dsnGroup },
  kindName,
)
/** Send the delivery report, then delete the log. */
export const TraceRequest = defineRequest(5, reportFields, kindName)

export type BounceRequest =
  | RequestOf<typeof AppendRequest>
  | RequestOf<typeof FlushLogRequest>
  | RequestOf<typeof WarnRequest>
  | RequestOf<typeof VerpRequest>
  | RequestOf<typeof BounceOneRequest>
  | RequestOf<typeof TraceRequest>

export const BounceReply = defineList(statusFields)

/** Extra attributes are passed over. @throws {AttrError} unknown, incomplete or malformed */
export function parseBounceRequest(attrs: AttrList): BounceRequest {
  const kind = requestName(attrs, kindName)
  switch (kind) {
    case '0':
      return AppendRequest.parse(attrs, 'skip')
    case '1':
      return FlushLogRequest.parse(attrs, 'skip')
    case '2':
      return WarnRequest.parse(attrs, 'skip')
    case '3': {
      const request = VerpRequest.parse(attrs, 'skip')
      if (request.delimiters.length !== 2) {
        throw new AttrError('Cannot parse verp_delimiters: want two characters')
      }
      return request
    }
    case '4':
      return BounceOneRequest.parse(attrs, 'skip')
    case '5':
      return TraceRequest.parse(attrs, 'skip')
    default:
      throw new AttrError(`Cannot parse nrequest "${kind?.slice(0, 40) ?? ''}": want 0 to 5`)
  }
}

export function encodeBounceRequest(request: BounceRequest): string {
  switch (request.request) {
    case 0:
      return AppendRequest.encode(request)
    case 1:
      return FlushLogRequest.encode(request)
    case 2:
      return WarnRequest.encode(request)
    case 3:
      return VerpRequest.encode(request)
    case 4:
      return BounceOneRequest.encode(request)
    case 5:
      return TraceRequest.encode(request)
  }
}

/**
 * Asks the service at `path` (`private/bounce`, `private/defer` or `private/trace`).
 *
 * @returns the status: 0 is done
 * @throws as Channel.connect(), when the service cannot be asked
 */
export async function sendBounceRequest(
  path: string,
  request: BounceRequest,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<number> {
  const reply = await oneShot(path, encodeBounceRequest(request), {
    protocol: bounceProtocol,
    ...options,
  })
  return BounceReply.parse(reply).status
}
