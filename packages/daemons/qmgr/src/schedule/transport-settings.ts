/**
 * transport-settings - what main.cf says about one transport
 *
 * Each setting is `<transport>_<suffix>`, with a default that is common to all transports.
 */
import type { WindowSettings } from './concurrency-window.ts'

export interface TransportSettings {
  readonly window: WindowSettings
  /** Recipients in one delivery request; 0 = no limit. */
  readonly recipientsPerRequest: number
  readonly destinationRateDelaySeconds: number
  readonly transportRateDelaySeconds: number
  readonly slotCost: number
  readonly slotLoan: number
  readonly slotDiscount: number
  readonly minimumSlots: number
  /** Recipients in memory: for the transport, extra for preempting messages, and when to read more. */
  readonly recipientLimit: number
  readonly extraRecipientLimit: number
  readonly refillLimit: number
  readonly refillDelaySeconds: number
}
