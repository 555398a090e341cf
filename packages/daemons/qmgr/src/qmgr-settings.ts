/**
 * qmgr-settings - what main.cf says to the queue manager, read once
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import type { ExtensionRules } from '@posthorn/address/split-address'
import { type Feedback, parseFeedback } from './schedule/feedback.ts'
import type { SchedulerLimits } from './schedule/scheduler-host.ts'
import type { TransportSettings } from './schedule/transport-settings.ts'

export interface QmgrSettings {
  readonly config: MainConfig
  readonly layout: QueueLayout
  readonly limits: SchedulerLimits
  readonly activeLimit: number
  readonly recipientLimit: number
  readonly recipientMinimum: number
  readonly queueRunSeconds: number
  readonly minimalBackoffSeconds: number
  readonly maximalBackoffSeconds: number
  readonly lifetimeSeconds: number
  readonly bounceLifetimeSeconds: number
  readonly deferTransports: ReadonlySet<string>
  readonly filterNexthop: string
  readonly hostname: string
  readonly doubleBounceSender: string
  readonly probeLimit: number
  readonly verpDelimiterFilter: string
  readonly bouncesVerp: boolean
  readonly confirmsDelayCleared: boolean
  readonly logsExternalAddresses: boolean
  readonly extensionRules: ExtensionRules
  readonly daemonTimeoutMs: number
  /** Tokens in the flow control pipe; 0 = no flow control. */
  readonly flowTokens: number
  readonly rewritePath: string
  readonly bouncePath: string
  readonly deferPath: string
  readonly tracePath: string
  /** Seconds for the scheduler, which never go back. */
  queuedSeconds: (nowMs: number) => number
}

export function readQmgrSettings(config: MainConfig): QmgrSettings {
  const activeLimit = config.integer('qmgr_message_active_limit')
  const lifetimeSeconds = config.seconds('maximal_queue_lifetime')
  const minimalBackoffSeconds = config.seconds('minimal_backoff_time')
  const recipientLimit = atLeastActiveLimit(config, activeLimit)
  const helps = config.boolean('helpful_warnings')
  return {
    config,
    layout: QueueLayout.fromConfig(config),
    limits: {
      activeMessages: activeLimit,
      recipients: recipientLimit,
      minimalBackoffSeconds,
      transportRetrySeconds: config.seconds('transport_retry_time'),
      clogWarnSeconds: helps ? config.seconds('qmgr_clog_warn_time') : 0,
      debugsFeedback: config.boolean('destination_concurrency_feedback_debug'),
    },
    activeLimit,
    recipientLimit,
    recipientMinimum: config.integer('qmgr_message_recipient_minimum'),
    queueRunSeconds: config.seconds('queue_run_delay'),
    minimalBackoffSeconds,
    maximalBackoffSeconds: config.seconds('maximal_backoff_time'),
    lifetimeSeconds,
    bounceLifetimeSeconds: atMostLifetime(config, lifetimeSeconds),
    deferTransports: new Set(config.list('defer_transports')),
    filterNexthop: config.text('default_filter_nexthop'),
    hostname: config.text('myhostname'),
    doubleBounceSender: config.text('double_bounce_sender'),
    probeLimit: config.integer('address_verify_pending_request_limit'),
    verpDelimiterFilter: config.text('verp_delimiter_filter'),
    bouncesVerp: !config.boolean('disable_verp_bounces'),
    confirmsDelayCleared: config.boolean('confirm_delay_cleared'),
    logsExternalAddresses: config.keyword('info_log_address_format') === 'external',
    extensionRules: {
      delimiters: config.text('recipient_delimiter'),
      isOwnerRequestSpecial: config.boolean('owner_request_special'),
      doubleBounce: config.text('double_bounce_sender'),
    },
    daemonTimeoutMs: config.seconds('daemon_timeout') * 1000,
    flowTokens: config.seconds('in_flow_delay') > 0 ? config.integer('default_process_limit') : 0,
    rewritePath: `private/${config.text('rewrite_service_name')}`,
    bouncePath: `private/${config.text('bounce_service_name')}`,
    deferPath: `private/${config.text('defer_service_name')}`,
    tracePath: `private/${config.text('trace_service_name')}`,
    queuedSeconds: monotoneSeconds(),
  }
}

/** The settings of a transport, read when it is first used. */
export function readTransportSettings(settings: QmgrSettings, name: string): TransportSettings {
  const { config } = settings
  const destinationRateDelaySeconds = config.transportSeconds(name, '_destination_rate_delay')
  const limit =
    destinationRateDelaySeconds > 0
      ? 1
      : config.transportInteger(name, '_destination_concurrency_limit')
  const configured = config.transportInteger(name, '_initial_destination_concurrency')
  const initial = limit > 0 ? Math.min(limit, configured) : configured
  return {
    window: {
      limit,
      initial,
      positive: readFeedback(settings, name, 'positive'),
      negative: readFeedback(settings, name, 'negative'),
      failedCohortLimit: config.transportInteger(
        name,
        '_destination_concurrency_failed_cohort_limit',
      ),
    },
    recipientsPerRequest: config.transportInteger(name, '_destination_recipient_limit'),
    destinationRateDelaySeconds,
    transportRateDelaySeconds: config.transportSeconds(name, '_transport_rate_delay'),
    slotCost: config.transportInteger(name, '_delivery_slot_cost'),
    slotLoan: config.transportInteger(name, '_delivery_slot_loan'),
    slotDiscount: config.transportInteger(name, '_delivery_slot_discount'),
    minimumSlots: config.transportInteger(name, '_minimum_delivery_slots'),
    recipientLimit: config.transportInteger(name, '_recipient_limit'),
    extraRecipientLimit: config.transportInteger(name, '_extra_recipient_limit'),
    refillLimit: config.transportInteger(name, '_recipient_refill_limit'),
    refillDelaySeconds: config.transportSeconds(name, '_recipient_refill_delay'),
  }
}

function readFeedback(
  settings: QmgrSettings,
  transport: string,
  sign: 'positive' | 'negative',
): Feedback {
  const { config, limits } = settings
  const suffix = `_destination_concurrency_${sign}_feedback` as const
  const name = config.isSet(transport + suffix) ? transport + suffix : `default${suffix}`
  const feedback = parseFeedback(config.transportText(transport, suffix), (text) => {
    log.warning(`${name}: ignoring malformed or unreasonable feedback: ${text}`)
  })
  if (limits.debugsFeedback) {
    // For all transports at the same window, that of main.cf, so that values can be compared.
    const initial = config.integer('initial_destination_concurrency')
    const value = feedback.isPerConcurrency ? feedback.amount / initial : feedback.amount
    log.info(
      `${transport}: ${name} feedback type ${feedback.isPerConcurrency ? 1 : 0} ` +
        `value at ${initial}: ${Number(value.toPrecision(6))}`,
    )
  }
  return feedback
}

function atLeastActiveLimit(config: MainConfig, activeLimit: number): number {
  const limit = config.integer('qmgr_message_recipient_limit')
  if (limit >= activeLimit) return limit
  log.warning(
    'qmgr_message_recipient_limit is smaller than qmgr_message_active_limit - ' +
      'adjusting qmgr_message_recipient_limit',
  )
  return activeLimit
}

function atMostLifetime(config: MainConfig, lifetimeSeconds: number): number {
  const seconds = config.seconds('bounce_queue_lifetime')
  if (seconds <= lifetimeSeconds) return seconds
  log.warning(
    'bounce_queue_lifetime is larger than maximal_queue_lifetime - ' +
      'adjusting bounce_queue_lifetime',
  )
  return lifetimeSeconds
}

function monotoneSeconds(): (nowMs: number) => number {
  let last = 0
  return (nowMs) => {
    last = Math.max(last, Math.floor(nowMs / 1000))
    return last
  }
}
