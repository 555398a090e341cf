/**
 * transport-parameters - the parameters that exist once for each transport: <transport><suffix>
 *
 * Unset, each falls back to another parameter. The queue manager reads them for any transport that
 * mail is routed to; spawn(8) and pipe(8) read `_time_limit`. Source: Postfix 3.7 postconf(5), qmgr(8).
 */

export const TRANSPORT_INTEGERS = {
  _delivery_slot_cost: { fallback: 'default_delivery_slot_cost' },
  _delivery_slot_discount: { fallback: 'default_delivery_slot_discount', max: 100 },
  _delivery_slot_loan: { fallback: 'default_delivery_slot_loan' },
  _destination_concurrency_failed_cohort_limit: {
    fallback: 'default_destination_concurrency_failed_cohort_limit',
  },
  _destination_concurrency_limit: { fallback: 'default_destination_concurrency_limit' },
  _destination_recipient_limit: { fallback: 'default_destination_recipient_limit' },
  _extra_recipient_limit: { fallback: 'default_extra_recipient_limit' },
  _initial_destination_concurrency: { fallback: 'initial_destination_concurrency', min: 1 },
  _minimum_delivery_slots: { fallback: 'default_minimum_delivery_slots' },
  _recipient_limit: { fallback: 'default_recipient_limit' },
  _recipient_refill_limit: { fallback: 'default_recipient_refill_limit', min: 1 },
} as const

export const TRANSPORT_TIMES = {
  _destination_rate_delay: { fallback: 'default_destination_rate_delay' },
  _recipient_refill_delay: { fallback: 'default_recipient_refill_delay', min: 1 },
  _time_limit: { fallback: 'command_time_limit', min: 1 },
  _transport_rate_delay: { fallback: 'default_transport_rate_delay' },
} as const

/** Feedback: `N`, `N/M`, `N/concurrency` or `N/sqrt_concurrency`. */
export const TRANSPORT_TEXTS = {
  _destination_concurrency_negative_feedback: {
    fallback: 'default_destination_concurrency_negative_feedback',
  },
  _destination_concurrency_positive_feedback: {
    fallback: 'default_destination_concurrency_positive_feedback',
  },
} as const

export type TransportInteger = keyof typeof TRANSPORT_INTEGERS
export type TransportTime = keyof typeof TRANSPORT_TIMES
export type TransportText = keyof typeof TRANSPORT_TEXTS

export interface TransportSpec {
  readonly fallback: string
  readonly min?: number
  readonly max?: number
}

/** What <transport><suffix> falls back to; undefined for a text that is no such suffix. */
export function findTransportSuffix(suffix: string): TransportSpec | undefined {
  for (const table of [TRANSPORT_INTEGERS, TRANSPORT_TIMES, TRANSPORT_TEXTS]) {
    if (Object.hasOwn(table, suffix))
      return new Map<string, TransportSpec>(Object.entries(table)).get(suffix)
  }
  return undefined
}
