/**
 * local-settings - what main.cf says to local delivery, read once
 */
import type { ExtensionRules } from '@posthorn/address/split-address'
import type { MainConfig } from '@posthorn/config/main-config'
import type { MailboxLocking } from '@posthorn/delivery/mailbox/mailbox-job'

export interface LocalSettings {
  readonly extensionRules: ExtensionRules
  readonly doubleBounceSender: string
  /** Relative to the home directory; empty: the mail spool directory. */
  readonly homeMailbox: string
  readonly spoolDirectory: string
  readonly sizeLimitBytes: number
  readonly checksOwner: boolean
  readonly requiresHome: boolean
  readonly addsOriginalRecipient: boolean
  readonly addsDeliveredTo: boolean
  /** Who gets the mail of unknown users, not expanded; empty: nobody. */
  readonly luserRelay: string
  readonly locking: MailboxLocking
}

export function readLocalSettings(config: MainConfig): LocalSettings {
  return {
    extensionRules: {
      delimiters: config.text('recipient_delimiter'),
      isOwnerRequestSpecial: config.boolean('owner_request_special'),
      doubleBounce: config.text('double_bounce_sender'),
    },
    doubleBounceSender: config.text('double_bounce_sender'),
    homeMailbox: config.text('home_mailbox'),
    spoolDirectory: config.text('mail_spool_directory'),
    sizeLimitBytes: config.integer('mailbox_size_limit'),
    checksOwner: config.boolean('strict_mailbox_ownership'),
    requiresHome: config.boolean('require_home_directory'),
    addsOriginalRecipient: config.boolean('enable_original_recipient'),
    addsDeliveredTo: config.flags('prepend_delivered_header').has('file'),
    luserRelay: config.text('luser_relay'),
    locking: {
      methods: [...config.flags('mailbox_delivery_lock')].join(' '),
      attempts: config.integer('deliver_lock_attempts'),
      delaySeconds: config.seconds('deliver_lock_delay'),
      staleSeconds: config.seconds('stale_lock_time'),
    },
  }
}
