/**
 * virtual-settings - what main.cf says to virtual mailbox delivery, apart from its tables
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { MailboxLocking } from '@posthorn/delivery/mailbox/mailbox-job'

export interface VirtualSettings {
  /** `relay=` of what is logged: the name of the service in master.cf. */
  readonly relay: string
  /** Goes before all mailbox names; empty: those are absolute. */
  readonly mailboxBase: string
  readonly minimumUid: number
  readonly sizeLimitBytes: number
  readonly checksOwner: boolean
  readonly addsOriginalRecipient: boolean
  readonly locking: MailboxLocking
}

export function readVirtualSettings(config: MainConfig, serviceName: string): VirtualSettings {
  return {
    relay: serviceName,
    mailboxBase: config.text('virtual_mailbox_base'),
    minimumUid: config.integer('virtual_minimum_uid'),
    sizeLimitBytes: config.integer('virtual_mailbox_limit'),
    checksOwner: config.boolean('strict_mailbox_ownership'),
    addsOriginalRecipient: config.boolean('enable_original_recipient'),
    locking: {
      methods: [...config.flags('virtual_mailbox_lock')].join(' '),
      attempts: config.integer('deliver_lock_attempts'),
      delaySeconds: config.seconds('deliver_lock_delay'),
      staleSeconds: config.seconds('stale_lock_time'),
    },
  }
}
