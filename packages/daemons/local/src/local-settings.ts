/**
 * local-settings - what main.cf says to local delivery, read once
 */
import type { ExtensionRules } from '@posthorn/address/split-address'
import type { MainConfig } from '@posthorn/config/main-config'
import type { MailboxLocking } from '@posthorn/delivery/mailbox/mailbox-job'

export interface LocalSettings {
  /** `relay=` of what is logged, and the transport whose mail is ours: the name of the service in master.cf. */
  readonly relay: string
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
  /** frozen_delivered_to, reset_owner_alias, expand_owner_alias */
  readonly freezesDeliveredTo: boolean
  readonly resetsOwner: boolean
  readonly expandsOwner: boolean
  /** propagate_unmatched_extensions has `alias`. */
  readonly propagatesAlias: boolean
  /** allow_mail_to_files: `alias`, `forward`, `include`. */
  readonly allowsFiles: ReadonlySet<string>
  /** The user with whose rights files are written that root's aliases name. */
  readonly defaultRights: string
  /** Of a line of a .forward or :include: file. */
  readonly lineLimit: number
  /** duplicate_filter_limit; 0 = none. */
  readonly duplicateLimit: number
}

export function readLocalSettings(config: MainConfig, serviceName: string): LocalSettings {
  return {
    relay: serviceName,
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
    freezesDeliveredTo: config.boolean('frozen_delivered_to'),
    resetsOwner: config.boolean('reset_owner_alias'),
    expandsOwner: config.boolean('expand_owner_alias'),
    propagatesAlias: config.flags('propagate_unmatched_extensions').has('alias'),
    allowsFiles: config.flags('allow_mail_to_files'),
    defaultRights: config.text('default_privs'),
    lineLimit: config.integer('line_length_limit'),
    duplicateLimit: config.integer('duplicate_filter_limit'),
  }
}
