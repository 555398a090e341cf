/**
 * failure - why mail did not get to a host
 *
 * Every failure has an enhanced status code of class 4 (try again) or 5 (never) and a text. What it applies to is
 * said where it is reported: one recipient, the message, or the site.
 */
import type { DeliveryStatus } from '@posthorn/delivery/delivery-status'
import type { Reply } from './reply-parser.ts'

export type Failure = DeliveryStatus

/** A decision of our own. */
export function localFailure(dsn: string, reason: string): Failure {
  return { dsn, reason }
}

/**
 * `before` and `after` frame the server's words: `host H[A] said: REPLY (in reply to CMD)`. A success where it makes no
 * sense is a protocol error; codes that mean nothing (3xx, 999) have 5.5.0 from the reply parser.
 */
export function serverFailure(hostName: string, reply: Reply, before: string, after = ''): Failure {
  const text = reply.text.replaceAll('\n', ' ')
  const isPlausible = reply.dsn.startsWith('4') || reply.dsn.startsWith('5')
  return {
    dsn: isPlausible ? reply.dsn : '5.5.0',
    reason: `${isPlausible ? '' : 'Protocol error: '}${before}${text}${after}`,
    diagnosticType: 'smtp',
    diagnosticText: text,
    remoteMtaType: 'dns',
    remoteMtaName: hostName,
  }
}

/** Replies after which a server is not trusted with another message. */
export function isSuspect(reply: Reply): boolean {
  const { code } = reply
  return reply.isGarbage || code < 400 || code > 599 || code === 555 || (code >= 500 && code <= 509)
}

export function isHard(failure: Failure): boolean {
  return failure.dsn.startsWith('5')
}
