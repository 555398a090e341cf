/**
 * bounce-settings - what bounce(8) takes from main.cf
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'
import { loadTemplates, type Templates } from './template.ts'

export interface BounceSettings {
  readonly layout: QueueLayout
  readonly hostname: string
  readonly mailName: string
  /** In external form, without a domain for a bare user name. */
  readonly recipients: {
    readonly bounce: string
    readonly doubleBounce: string
    readonly delay: string
  }
  /** `double-bounce@myhostname`: mail from it is never answered. */
  readonly doubleBounceSender: string
  readonly notifies: (kind: 'bounce' | '2bounce' | 'delay') => boolean
  /** Larger messages come back without their body. */
  readonly sizeLimitBytes: number
  readonly lifetimeSeconds: number
  readonly withOldLogForm: boolean
  readonly lockAttempts: number
  readonly lockDelayMs: number
  readonly smtputf8Enable: boolean
  readonly isThreaded: boolean
  /** requiretls_redact_dsn */
  readonly redactsRequireTls: boolean
  /** tls_required_enable */
  readonly honorsTlsRequired: boolean
  readonly cleanupPath: string
  readonly cleanupFlags: number
  readonly timeoutMs: number
  readonly templates: Templates
}

/** @throws {ConfigError} */
export function readBounceSettings(config: MainConfig): BounceSettings {
  const classes = config.flags('notify_classes')
  const hostname = config.text('myhostname')
  return {
    layout: QueueLayout.fromConfig(config),
    hostname,
    mailName: config.text('mail_name'),
    recipients: {
      bounce: config.text('bounce_notice_recipient'),
      doubleBounce: config.text('2bounce_notice_recipient'),
      delay: config.text('delay_notice_recipient'),
    },
    doubleBounceSender: `${config.text('double_bounce_sender')}@${hostname}`,
    notifies: (kind) => classes.has(kind),
    sizeLimitBytes: config.integer('bounce_size_limit'),
    lifetimeSeconds: config.seconds('maximal_queue_lifetime'),
    withOldLogForm: config.boolean('backwards_bounce_logfile_compatibility'),
    lockAttempts: config.integer('deliver_lock_attempts'),
    lockDelayMs: config.seconds('deliver_lock_delay') * 1000,
    smtputf8Enable: config.boolean('smtputf8_enable'),
    redactsRequireTls: config.boolean('requiretls_redact_dsn'),
    honorsTlsRequired: config.boolean('tls_required_enable'),
    isThreaded: config.boolean('enable_threaded_bounces'),
    cleanupPath: `public/${config.text('cleanup_service_name')}`,
    cleanupFlags: noticeFlags(config),
    timeoutMs: config.seconds('ipc_timeout') * 1000,
    templates: loadTemplates(config),
  }
}

function noticeFlags(config: MainConfig): number {
  const autodetects = config.flags('smtputf8_autodetect_classes')
  const isFiltered = config.flags('internal_mail_filter_classes').has('bounce')
  return (
    CLEANUP_FLAGS.map |
    (isFiltered ? CLEANUP_FLAGS.filter | CLEANUP_FLAGS.milter : 0) |
    (autodetects.has('bounce') || autodetects.has('all') ? CLEANUP_FLAGS.autoUtf8 : 0)
  )
}
