/**
 * mailbox-fault - why a mailbox could not be written to, and whether trying again may help
 *
 * What is wrong with the mailbox itself has the status code that the agent chose for that. What may pass (a lock, memory,
 * an unreliable disk) is deferred, and so is everything that we do not know. A full disk is the machine's fault, a
 * full mailbox its owner's.
 * Source: RFC 3463 3.3; Postfix 3.7 local(8), virtual(8).
 */
import { errorCode, errorReason } from '@posthorn/native/system-error'
import type { MailboxJob, MailboxResult } from './mailbox-job.ts'

const ofTheMailbox: ReadonlySet<string> = new Set([
  'EACCES',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ENODEV',
  'ENOENT',
  'ENOTDIR',
  'ENXIO',
  'EPERM',
  'EROFS',
])

/** What was being done, with the failed system call as `cause` when there was one. */
export class MailboxFault extends Error {
  readonly code = 'POSTHORN_MAILBOX'
  /** Overrides what the cause says. */
  readonly dsn: string | undefined
  readonly warnings: readonly string[]

  constructor(
    reason: string,
    options: { cause?: unknown; dsn?: string; warnings?: readonly string[] } = {},
  ) {
    super(
      options.cause === undefined ? reason : `${reason}: ${errorReason(options.cause)}`,
      options.cause === undefined ? {} : { cause: options.cause },
    )
    this.dsn = options.dsn
    this.warnings = options.warnings ?? []
  }
}

/** The mailbox would grow beyond its limit. */
export class MailboxFullError extends Error {
  readonly code = 'EFBIG'

  constructor() {
    super('File too large')
  }
}

/** @param warnings that came before the fault */
export function failedResult(
  job: MailboxJob,
  fault: MailboxFault,
  warnings: readonly string[] = [],
): MailboxResult {
  return {
    kind: 'failed',
    dsn: fault.dsn ?? statusOf(job, fault.cause),
    reason: fault.message,
    warnings: [...warnings, ...fault.warnings],
  }
}

function statusOf(job: MailboxJob, cause: unknown): string {
  if (cause === undefined) return job.mailboxFault
  const code = errorCode(cause) ?? ''
  if (code === 'EDQUOT' || code === 'EFBIG') return '5.2.2'
  if (code === 'ENOSPC') return '4.3.0'
  return ofTheMailbox.has(code) ? job.mailboxFault : '4.2.0'
}
