/**
 * queue-recipient - a recipient as queue files and message logs know it
 *
 * The members are those of the RECIPIENT group on the wire, so that one value goes all the way.
 */
export interface QueueRecipient {
  /** Internal form in a queue file, external form in a message log. */
  readonly recipient: string
  /** As cleanup(8) first saw it; empty when not known. */
  readonly originalRecipient: string
  /** `type;address`, decoded; may be empty. */
  readonly dsnOriginalRecipient: string
  /** 0 not given, 1 never, or any of 2 success, 4 failure, 8 delay (RFC 3461 4.1). */
  readonly notifyFlags: number
  /** Of the recipient record in the queue file: what markDone() wants. */
  readonly offset: number
}
