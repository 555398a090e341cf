/**
 * delivery-status - what became of one recipient, and why
 *
 * The enhanced status code decides the class: 2 sent, 4 deferred, 5 bounced. A code that contradicts what is
 * being done with it is corrected with a warning, so that a sloppy server cannot turn a failure into a success.
 * Sources: RFC 3463 (enhanced status codes), RFC 3464 2.3 (diagnostic and MTA fields); Postfix 3.7 dsn fields.
 */
import { log } from '@posthorn/log/log'
import type { DsnFields } from '@posthorn/wire/delivery-request'

/** Fields that are absent travel as empty strings. */
export interface DeliveryStatus {
  /** Enhanced status code: `4.4.1`. */
  dsn: string
  /** One line of text, octets as received; what a person sees in the log and in a bounce. */
  reason: string
  /** Of DSN and trace records; by default what fits the outcome: delivered, delayed, failed. */
  action?: string
  /** `smtp` with the server's reply, when it was a server that decided. */
  diagnosticType?: string
  diagnosticText?: string
  /** `dns` with that server's name. */
  remoteMtaType?: string
  remoteMtaName?: string
}

/** A delivery status with the host that gave it: `relay=` in the log, `none` when there was no host. */
export interface RelayedStatus extends DeliveryStatus {
  relay: string
  /** `tls=` in the log; absent: nothing is said of TLS. */
  tls?: string | undefined
}

const dsnPattern = /^[245]\.\d{1,3}\.\d{1,3}$/

/** `4.4.1` and the like. */
export function isDsn(text: string): boolean {
  return dsnPattern.test(text)
}

/** The same status with the DSN `X.0.0` when the class of its own is not `wanted`. `who` is for the warning. */
export function withClass<Status extends DeliveryStatus>(
  status: Status,
  wanted: '2' | '4' | '5',
  who: string,
): Status {
  if (isDsn(status.dsn) && status.dsn.startsWith(wanted)) return status
  log.warning(`${who}: ignoring dsn code "${status.dsn}"`)
  return { ...status, dsn: `${wanted}.0.0` }
}

/** The class digit replaced: `5.1.1` becomes `4.1.1`. */
export function changeClass(dsn: string, digit: '2' | '4' | '5'): string {
  return digit + dsn.slice(1)
}

export function toDsnFields(status: DeliveryStatus, action: string): DsnFields {
  return {
    status: status.dsn,
    diagnosticType: status.diagnosticType ?? '',
    diagnosticText: status.diagnosticText ?? '',
    remoteMtaType: status.remoteMtaType ?? '',
    remoteMtaName: status.remoteMtaName ?? '',
    action,
    reason: status.reason,
  }
}
