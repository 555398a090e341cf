/**
 * append-entry - one more recipient in the log of a message
 */
import { printable } from '@posthorn/log/printable'
import { appendMessageLog, formatLogEntry, type LogEntry } from '@posthorn/queue/message-log'
import type { QueueId } from '@posthorn/queue/queue-id'
import type { DsnFields, Recipient } from '@posthorn/wire/attr-groups'
import type { BounceContext } from './bounce.ts'

/** Resolves when the entry is on disk. */
export async function appendEntry(
  { settings, log }: BounceContext,
  id: QueueId,
  request: { readonly recipient: Recipient; readonly dsn: DsnFields },
): Promise<void> {
  const { recipient, dsn } = cleanEntry(request)
  const text = formatLogEntry(recipient, dsn, settings.withOldLogForm)
  const { layout, lockAttempts, lockDelayMs } = settings
  await appendMessageLog(layout, log, id, text, { lockAttempts, lockDelayMs })
}

/** Whatever a remote system said is now a printable line. */
export function cleanEntry({
  recipient,
  dsn,
}: {
  readonly recipient: Recipient
  readonly dsn: DsnFields
}): LogEntry {
  return {
    recipient: {
      ...recipient,
      recipient: printable(recipient.recipient),
      originalRecipient: printable(recipient.originalRecipient),
      dsnOriginalRecipient: printable(recipient.dsnOriginalRecipient),
    },
    dsn: {
      status: printable(dsn.status),
      action: printable(dsn.action),
      diagnosticType: printable(dsn.diagnosticType),
      diagnosticText: printable(dsn.diagnosticText),
      remoteMtaType: printable(dsn.remoteMtaType),
      remoteMtaName: printable(dsn.remoteMtaName),
      reason: printable(dsn.reason),
    },
  }
}
