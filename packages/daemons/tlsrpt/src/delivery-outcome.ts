/**
 * delivery-outcome - what became of an attempt to hand over a report
 *
 * There is no "never": RFC 8460 5.5 tries for a day, whatever the reason, and then the report is of no use any more.
 */

export type DeliveryOutcome =
  | { readonly kind: 'sent'; readonly text: string }
  | { readonly kind: 'deferred'; readonly reason: string }
