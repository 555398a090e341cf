/**
 * header-flags - `flags=DORX` of master.cf: headers that this delivery adds, and what follows from them
 *
 * Delivered-To is about one recipient, and it ends loops: a message that has it for this recipient was here before.
 * Source: Postfix 3.7 smtp(8), lmtp(8).
 */
import type { DeliveryJob } from '@posthorn/delivery/delivery-job'
import { ContentReader } from '@posthorn/queue/content-reader'
import { log } from '@posthorn/log/log'
import type { HeaderFlags } from './content.ts'
import { localFailure, type Failure } from './failure.ts'

/** The command line of master.cf asks for something that does not exist. The message is the fatal line. */
export class ArgumentError extends Error {
  readonly code = 'POSTHORN_ARGUMENT'
}

/** @throws {ArgumentError} */
export function parseHeaderFlags(args: readonly string[]): HeaderFlags {
  const flags: HeaderFlags = {
    returnPath: false,
    originalTo: false,
    deliveredTo: false,
    isFinal: false,
  }
  for (const arg of args) {
    if (!arg.startsWith('flags=')) throw new ArgumentError(`unknown attribute name: ${arg}`)
    for (const flag of arg.slice('flags='.length)) {
      if (flag === 'D') flags.deliveredTo = true
      else if (flag === 'O') flags.originalTo = true
      else if (flag === 'R') flags.returnPath = true
      else if (flag === 'X') flags.isFinal = true
      else throw new ArgumentError(`unknown flag: ${flag}. Need one of: DORX`)
    }
  }
  return flags
}

function wasDeliveredTo(job: DeliveryJob, address: string): boolean {
  const reader = new ContentReader(job.file.fd, job.request.dataOffset)
  const wanted = address.toLowerCase()
  let line = ''
  for (;;) {
    const piece = reader.next()
    if (piece === undefined) return false
    line += piece.text
    if (!piece.endsLine) continue
    if (line === '') return false
    const [, value] = /^delivered-to:\s*(.*?)\s*$/i.exec(line) ?? []
    if (value?.toLowerCase() === wanted) return true
    line = ''
  }
}

/** Why the flags forbid this delivery; undefined: they do not. `map`: to the address that is in the header. */
export async function findFlagTrouble(
  job: DeliveryJob,
  flags: HeaderFlags,
  serviceName: string,
  map: ((address: string) => Promise<string>) | undefined,
): Promise<Failure | undefined> {
  if (!flags.deliveredTo && !flags.originalTo) return undefined
  const [recipient, ...others] = job.recipients
  if (others.length > 0) {
    const flag = flags.deliveredTo ? 'D' : 'O'
    log.warning(`flag \`${flag}' requires ${serviceName}_destination_recipient_limit = 1`)
    return localFailure('4.3.5', 'mail system configuration error')
  }
  if (!flags.deliveredTo || recipient === undefined) return undefined
  const address = (await map?.(recipient.recipient)) ?? recipient.recipient
  if (!wasDeliveredTo(job, address)) return undefined
  return localFailure('5.4.6', `mail forwarding loop for ${recipient.recipient}`)
}
