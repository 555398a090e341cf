/**
 * cleanup-protocol - handing a message to cleanup(8)
 *
 *     S>C  { protocol, queue_id }    the queue file exists now
 *     C>S  { flags }
 *     C>S  records: envelope, content, extracted information, END
 *     S>C  { status, reason }
 *
 * Flags and records may go out together. The records are in @posthorn/queue.
 * Source: Postfix 3.7 cleanup(8), bounce(8), pickup(8), smtpd(8).
 */
import { defineList, int } from './attr-schema.ts'
import { Channel } from './channel.ts'
import { STAY_FLAG, type ChannelPool } from './channel-pool.ts'
import { SubmissionSession } from './submission-session.ts'

export { CLEANUP_STATUS, SubmissionReply, type SubmissionResult } from './submission-session.ts'

export const cleanupProtocol = 'cleanup_protocol'

export const CLEANUP_FLAGS = {
  /** cleanup(8) bounces bad messages itself and then reports success */
  bounce: 1,
  /** header_checks and body_checks */
  filter: 2,
  hold: 4,
  discard: 8,
  /** automatic BCC recipients */
  bcc: 16,
  /** canonical, virtual and masquerade mapping */
  map: 32,
  /** non-SMTP Milters */
  milter: 64,
  /** the reason may be a complete SMTP reply */
  smtpReply: 128,
  smtpUtf8: 256,
  autoUtf8: 512,
  /** REQUIRETLS (RFC 8689); Postfix before 3.11 passes it over. */
  requireTls: 1024,
  /** Posthorn's own: another message may come on the same connection */
  stay: STAY_FLAG,
} as const

/** The flags of mail from outside, before receive_override_options takes any away. */
export const externalMailFlags =
  CLEANUP_FLAGS.filter | CLEANUP_FLAGS.milter | CLEANUP_FLAGS.bcc | CLEANUP_FLAGS.map

/** The client's first list. */
export const CleanupOpening = defineList({ flags: int('flags') })

export interface OpenCleanupOptions {
  readonly flags: number
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** For a client that sends many messages: connections that cleanup(8) keeps open. */
  readonly pool?: ChannelPool | undefined
}

/**
 * Connects, waits for the queue id and sends the flags. Nothing is tried twice: when cleanup(8) cannot be reached, the
 * caller defers its client.
 *
 * @throws as Channel.connect()
 */
export async function openCleanup(
  path: string,
  options: OpenCleanupOptions,
): Promise<SubmissionSession> {
  const { flags, pool, timeoutMs, signal } = options
  const connecting = { protocol: cleanupProtocol, timeoutMs, signal }
  const channel = await (pool === undefined
    ? Channel.connect(path, connecting)
    : pool.connect(path, connecting))
  try {
    const session = new SubmissionSession(channel, (stayed) => pool?.release(path, stayed))
    const asked = pool === undefined ? flags : flags | CLEANUP_FLAGS.stay
    channel.send(CleanupOpening.encode({ flags: asked }))
    return session
  } catch (error) {
    channel.close()
    throw error
  }
}

/** The server's announcement. */
export function announceCleanup(channel: Channel, queueId: string): void {
  channel.announce(cleanupProtocol, [['queue_id', queueId]])
}
