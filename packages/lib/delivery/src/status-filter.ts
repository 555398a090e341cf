/**
 * status-filter - lets the administrator change final results: smtp_delivery_status_filter and its kind
 *
 * The table is asked for `X.Y.Z REASON` and answers `X.Y.Z text`. A success can only become another success;
 * temporary and permanent failures can become each other. Source: Postfix 3.7.
 */
import { log } from '@posthorn/log/log'
import { changeClass, isDsn, type DeliveryStatus } from './delivery-status.ts'

export type FilterLookup = (
  key: string,
) => Promise<
  { kind: 'found'; value: string } | { kind: 'absent' } | { kind: 'tryAgain'; reason: string }
>

export class StatusFilter {
  readonly #title: string
  readonly #find: FilterLookup

  /** `title` is the name of the parameter. */
  constructor(title: string, find: FilterLookup) {
    this.#title = title
    this.#find = find
  }

  /** The status to use; the one given when the table does not know it, cannot say, or says nonsense. */
  async apply<Status extends DeliveryStatus>(status: Status): Promise<Status> {
    const found = await this.#find(`${status.dsn} ${status.reason}`)
    if (found.kind === 'tryAgain') {
      log.warning(`${this.#title}: lookup error for "${status.dsn} ${status.reason}"`)
      return status
    }
    if (found.kind === 'absent') return status
    const [, dsn, reason] = /^(\S+)\s*(.*)$/s.exec(found.value.trim()) ?? []
    const wasSuccess = status.dsn.startsWith('2')
    if (dsn === undefined || !isDsn(dsn) || dsn.startsWith('2') !== wasSuccess) {
      log.warning(`${this.#title}: bad status code: ${found.value}`)
      return status
    }
    return {
      ...status,
      dsn,
      reason: reason === undefined || reason === '' ? status.reason : reason,
    }
  }
}

/** A result of class 4 that soft_bounce made of one of class 5. */
export function softened<Status extends DeliveryStatus>(status: Status): Status {
  return { ...status, dsn: changeClass(status.dsn, '4') }
}
