/**
 * read-message-log - the entries of a message log, whatever its state
 *
 * The log may be written to while it is read, and it may come from an old version: an entry that is
 * not complete is left out, what an entry does not say gets a default.
 * Source: Postfix 3.7 bounce(8).
 */
/* eslint-disable n/no-sync -- small cached files, 64 KB at once (docs/performance.md 7) */
import { closeSync, openSync, readSync } from 'node:fs'
import type { LogEntry } from './message-log.ts'
import { parseAttribute } from './named-attribute.ts'
import type { QueueId } from './queue-id.ts'
import type { MessageLogName, QueueLayout } from './queue-layout.ts'
import { hasCode } from './queue-move.ts'

const READ_OCTETS = 64 * 1024
/** Longer lines are cut: nothing that we write comes near. */
const LINE_OCTETS_LIMIT = 100_000

/**
 * The entries in order of the file; none when there is no log. `warn` gets a text for each line that
 * makes no sense. Between two entries the caller may pause; close early by leaving the loop.
 */
export function* readMessageLog(
  layout: QueueLayout,
  log: MessageLogName,
  id: QueueId,
  warn: (text: string) => void = () => undefined,
): Generator<LogEntry, void, undefined> {
  const path = layout.path(log, id)
  let fd
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  try {
    yield* parseEntries(readLines(fd), log === 'defer', (text) => {
      warn(`${path}: ${text}`)
    })
  } finally {
    closeSync(fd)
  }
}

/** The entries in lines of text without line ends. */
export function* parseEntries(
  lines: Iterable<string>,
  isDeferLog: boolean,
  warn: (text: string) => void,
): Generator<LogEntry, void, undefined> {
  let fields: Map<string, string> | undefined
  for (const line of lines) {
    if (line !== '') {
      fields ??= new Map()
      addLine(line.replace(/[\x00-\x1f\x7f]/g, '?'), fields, warn)
    } else if (fields !== undefined) {
      yield completeEntry(fields, isDeferLog)
      fields = undefined
    }
  }
}

function* readLines(fd: number): Generator<string, void, undefined> {
  const buffer = Buffer.allocUnsafe(READ_OCTETS)
  let rest = ''
  for (;;) {
    const count = readSync(fd, buffer, 0, READ_OCTETS, null)
    if (count === 0) return
    const lines = (rest + buffer.toString('latin1', 0, count)).split('\n')
    rest = (lines.pop() ?? '').slice(0, LINE_OCTETS_LIMIT)
    yield* lines
  }
}

const NAMES = new Set([
  'original_recipient',
  'offset',
  'dsn_orig_rcpt',
  'notify_flags',
  'status',
  'action',
  'diag_type',
  'diag_text',
  'mta_type',
  'mta_mname',
  'reason',
])

function addLine(line: string, fields: Map<string, string>, warn: (text: string) => void): void {
  const old = /^<(.*?)>:\s*(.*)$/.exec(line)
  if (old !== null) {
    fields.set('recipient', shownAddress(old[1]))
    fields.set('reason', old[2] ?? '')
    return
  }
  const parsed = /^[0-9A-Za-z]/.test(line) ? parseAttribute(line) : 'malformed line'
  if (typeof parsed === 'string') warn(`${parsed}: ${line.slice(0, 200)}`)
  else if (parsed.name === 'recipient') fields.set('recipient', shownAddress(parsed.value))
  else if (NAMES.has(parsed.name)) fields.set(parsed.name, parsed.value)
  else warn(`unknown attribute name: ${parsed.name.slice(0, 200)}`)
}

function shownAddress(value = ''): string {
  return value === '' ? '(MAILER-DAEMON)' : value
}

function completeEntry(fields: ReadonlyMap<string, string>, isDeferLog: boolean): LogEntry {
  const text = (name: string): string => fields.get(name) ?? ''
  return {
    recipient: {
      recipient: fields.get('recipient') ?? '(recipient address unavailable)',
      originalRecipient: text('original_recipient'),
      offset: decimal(text('offset')),
      dsnOriginalRecipient: text('dsn_orig_rcpt'),
      notifyFlags: decimal(text('notify_flags')),
    },
    dsn: {
      status: text('status') || (isDeferLog ? '4.0.0' : '5.0.0'),
      action: text('action') || (isDeferLog ? 'delayed' : 'failed'),
      diagnosticType: text('diag_type'),
      diagnosticText: text('diag_text'),
      remoteMtaType: text('mta_type'),
      remoteMtaName: text('mta_mname'),
      reason: text('reason') || '(description unavailable)',
    },
  }
}

function decimal(text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : 0
}
