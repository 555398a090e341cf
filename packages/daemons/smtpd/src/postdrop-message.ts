/**
 * postdrop-message - a local user's message (smtpd -S, sendmail -bs) goes to postdrop(1), which alone may write it down
 *
 * The envelope is what a local user may say; what smtpd(8) knows of network clients has no place in it.
 * postdrop(1) has one socket as its standard input and output, and ends when it has answered.
 * Source: Postfix 3.7 smtpd(8), postdrop(1).
 */
import { spawn } from 'node:child_process'
import { socketPair } from '@posthorn/native/socket'
import { encodeAttribute } from '@posthorn/queue/named-attribute'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { openPostdrop } from '@posthorn/wire/postdrop-protocol'
import type { SubmissionSession } from '@posthorn/wire/submission-session'
import type { Transaction } from './transaction.ts'

/** @throws when postdrop(1) cannot be started, or refuses to begin */
export async function openPostdropMessage(
  path: string,
  configDirectory: string,
  transaction: Transaction,
): Promise<SubmissionSession> {
  const [ours, theirs] = socketPair()
  const child = spawn(path, ['-c', configDirectory], {
    stdio: [theirs.fd, theirs.fd, 'inherit'],
    env: { PATH: '/usr/bin:/bin', MAIL_CONFIG: configDirectory },
  })
  // what went wrong shows in the conversation
  child.on('error', () => undefined)
  theirs.close()
  const session = await openPostdrop(new ByteStream(ours))
  session.send(encodeSubmission(transaction))
  return session
}

function encodeSubmission({ sender, parameters }: Transaction): string {
  const { envelopeId, returnFlags, encoding, verp } = parameters
  let records = envelopeId === '' ? '' : encodeAttribute('envelope_id', envelopeId)
  if (returnFlags !== 0) records += encodeAttribute('ret_flags', `${returnFlags}`)
  records += encodeRecord(RECORD.sender, sender)
  if (encoding !== '') records += encodeAttribute('encoding', encoding)
  return verp === '' ? records : records + encodeRecord(RECORD.verp, verp)
}
