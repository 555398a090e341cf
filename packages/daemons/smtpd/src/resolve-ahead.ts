/**
 * resolve-ahead - asks trivial-rewrite(8) about the recipients that a pipelining client has already sent
 *
 * Each RCPT needs an answer, and one after the other they wait for it with both processes mostly idle. The answers to these
 * questions come together, and the client of trivial-rewrite(8) has them when the commands are served. Nothing is
 * decided here: a command that turns out otherwise asks for itself.
 */
import { isCompleteAddress } from '@posthorn/address/complete-address'
import type { Session } from './session.ts'
import type { Transaction } from './transaction.ts'

/** Questions ahead; fewer than the answers that are remembered. */
const AHEAD = 16
const recipientLine = /^RCPT TO:<([^<>\s"]+)>(?:[ \t][^\r\n]*)?\r?$/i

/** To be called at a RCPT command, before it is served. */
export function resolveAhead(session: Session, transaction: Transaction): void {
  if (transaction.resolvedAhead > 0) transaction.resolvedAhead--
  const { buffered } = session.stream
  if (transaction.resolvedAhead > AHEAD / 2 || buffered === '') return
  let begin = 0
  for (let count = 0; count < AHEAD; count++) {
    const end = buffered.indexOf('\n', begin)
    if (end < 0) return
    if (count >= transaction.resolvedAhead) {
      const address = recipientLine.exec(buffered.slice(begin, end))?.[1]
      if (address === undefined || !isCompleteAddress(address)) return
      session.host.policy.resolveAhead(transaction.sender, address)
      transaction.resolvedAhead++
    }
    begin = end + 1
  }
}
