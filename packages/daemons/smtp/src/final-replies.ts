/**
 * final-replies - what the server says when it has the whole text, and what that means for those it had accepted
 *
 * SMTP: one reply for all. LMTP: one for each, in the order of the RCPT commands (RFC 2033 4.2, 4.3).
 */
import { EndOfStreamError } from '@posthorn/stream/byte-stream'
import type { Recipient } from '@posthorn/wire/delivery-request'
import { isPositive, type Dialogue } from './dialogue.ts'
import type { Reply } from './reply-parser.ts'

/** Words after "while": from here on the server may have the message although we do not know. */
export const END_OF_DATA = 'sending end of data -- message may be sent more than once'

/** What the replies are to. */
export interface FinalCommand {
  /** Words after "in reply to". */
  readonly name: string
  /**
   * Before a yes is believed: a server can answer what it was never asked, and close. Throws when it does not have the whole
   * text.
   */
  readonly confirm: () => Promise<void>
}

/** For confirm(): as good as no reply. */
export function halfMessageError(): EndOfStreamError {
  return new EndOfStreamError('Cannot trust reply: it is to half a message')
}

/** @throws what reading replies throws */
export async function takeFinalReplies(
  dialogue: Dialogue,
  first: Reply,
  command: FinalCommand,
): Promise<void> {
  const { session, options, accepted, delivery } = dialogue
  if (options.protocol === 'smtp') {
    if (isPositive(first)) await command.confirm()
    delivery.markDelivered()
    if (!isPositive(first)) await delivery.failMessage(dialogue.refusal(first, command.name))
    else for (const recipient of accepted) await dialogue.succeed(recipient, first)
    return
  }
  let reply: Reply | undefined = first
  for (const recipient of accepted) {
    if (reply === undefined) {
      session.begin(session.stage, options.timeouts.dataDoneMs)
      reply = await session.readReply()
    }
    await takeOne(dialogue, recipient, reply, command)
    reply = undefined
  }
}

async function takeOne(
  dialogue: Dialogue,
  recipient: Recipient,
  reply: Reply,
  command: FinalCommand,
): Promise<void> {
  const { delivery } = dialogue
  if (isPositive(reply)) await command.confirm()
  delivery.markDelivered()
  if (isPositive(reply)) await dialogue.succeed(recipient, reply)
  else await delivery.failRecipient(recipient, dialogue.refusal(reply, command.name))
}
