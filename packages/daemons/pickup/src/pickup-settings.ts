/** pickup-settings - what main.cf tells pickup(8), read once at start */
import type { MainConfig } from '@posthorn/config/main-config'
import { CLEANUP_FLAGS, externalMailFlags } from '@posthorn/wire/cleanup-protocol'

export interface PickupSettings {
  readonly cleanupPath: string
  readonly timeoutMs: number
  readonly contentFilter: string
  readonly lineLimit: number
  readonly hostname: string
  readonly mailName: string
  readonly mailOwnerId: number
  readonly newMailFlags: number
  /** Mail that postsuper -r sends through again: Milters have seen it, and its UTF-8 needs are known. */
  readonly requeuedFlags: number
}

export function pickupSettings(config: MainConfig, mailOwnerId: number): PickupSettings {
  const overrides = config.flags('receive_override_options')
  let flags = externalMailFlags | CLEANUP_FLAGS.bounce
  if (overrides.has('no_header_body_checks')) flags &= ~CLEANUP_FLAGS.filter
  if (overrides.has('no_milters')) flags &= ~CLEANUP_FLAGS.milter
  if (overrides.has('no_address_mappings')) flags &= ~(CLEANUP_FLAGS.map | CLEANUP_FLAGS.bcc)
  const classes = config.flags('smtputf8_autodetect_classes')
  const detects =
    config.boolean('smtputf8_enable') && (classes.has('sendmail') || classes.has('all'))
  return {
    cleanupPath: `public/${config.text('cleanup_service_name')}`,
    timeoutMs: config.seconds('ipc_timeout') * 1000,
    contentFilter: config.text('content_filter'),
    lineLimit: config.integer('line_length_limit'),
    hostname: config.text('myhostname'),
    mailName: config.text('mail_name'),
    mailOwnerId,
    newMailFlags: detects ? flags | CLEANUP_FLAGS.autoUtf8 : flags,
    requeuedFlags: flags & ~CLEANUP_FLAGS.milter,
  }
}
