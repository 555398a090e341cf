/**
 * address-verification - reject_unverified_sender and reject_unverified_recipient: is the address deliverable
 *
 * verify(8) knows, or finds out with a probe while we ask again a few times. What is not known in time, and what a probe
 * could not find out, defers; only an address that bounced is refused.
 * Source: Postfix 3.7 ADDRESS_VERIFICATION_README.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { log } from '@posthorn/log/log'
import type { MainConfig } from '@posthorn/config/main-config'
import { isVerifySender } from '@posthorn/wire/verify-sender'
import type { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import {
  RECIPIENT_STATUS,
  VERIFY_STATUS,
  VerifyClient,
  type VerifyAnswer,
} from '@posthorn/wire/verify-protocol'
import { ServiceError } from '@posthorn/wire/wire-error'
import { adaptDetail } from './access-action.ts'
import { resolveAddress } from './address-resolver.ts'
import { lookupFailure, type Evaluation, type Subject, type TempfailAction } from './evaluation.ts'
import { replyText } from './reply-text.ts'
import { dunno, refuse, type Check, type Verdict } from './restriction.ts'

/** What differs between sender and recipient. */
interface Side {
  readonly rejectCode: number
  readonly deferCode: number
  /** Shown instead of what the probe found, when not empty. */
  readonly rejectReason: string
  readonly tempfail: TempfailAction
  readonly detail: string
}

export interface VerificationSettings {
  readonly rewriter: RewriteClient
  readonly client: VerifyClient
  /** address_verify_sender: of probes that others make of our addresses, there must be no end. */
  readonly probeSender: string
  readonly probeSenderTtlSeconds: number
  readonly pollCount: number
  readonly pollDelayMs: number
  readonly sender: Side
  readonly recipient: Side
}

export function verificationSettings(
  config: MainConfig,
  rewriter: RewriteClient,
): VerificationSettings {
  return {
    rewriter,
    client: new VerifyClient({
      path: `private/${config.text('address_verify_service_name')}`,
      timeoutMs: config.seconds('ipc_timeout') * 1000,
      idleMs: config.seconds('ipc_idle') * 1000,
      ttlMs: config.seconds('ipc_ttl') * 1000,
    }),
    probeSender: config.text('address_verify_sender'),
    probeSenderTtlSeconds: config.seconds('address_verify_sender_ttl'),
    pollCount: config.integer('address_verify_poll_count'),
    pollDelayMs: config.seconds('address_verify_poll_delay') * 1000,
    sender: {
      rejectCode: config.integer('unverified_sender_reject_code'),
      deferCode: config.integer('unverified_sender_defer_code'),
      rejectReason: config.text('unverified_sender_reject_reason'),
      tempfail: config.keyword('unverified_sender_tempfail_action'),
      detail: '4.1.7',
    },
    recipient: {
      rejectCode: config.integer('unverified_recipient_reject_code'),
      deferCode: config.integer('unverified_recipient_defer_code'),
      rejectReason: config.text('unverified_recipient_reject_reason'),
      tempfail: config.keyword('unverified_recipient_tempfail_action'),
      detail: '4.1.1',
    },
  }
}

export function verificationChecks(settings: VerificationSettings): [string, Check][] {
  return [
    [
      'reject_unverified_sender',
      async (evaluation) => {
        const name = evaluation.session.transaction?.sender ?? ''
        const { probeSender, probeSenderTtlSeconds: ttl } = settings
        if (name === '' || isVerifySender(name, probeSender, ttl, Date.now())) return dunno
        return verify(settings, settings.sender, evaluation, { name, className: 'Sender address' })
      },
    ],
    [
      'reject_unverified_recipient',
      async (evaluation) => {
        const name = evaluation.recipient
        if (name === undefined) return dunno
        const subject = { name, className: 'Recipient address' } as const
        return verify(settings, settings.recipient, evaluation, subject)
      },
    ],
  ]
}

async function verify(
  settings: VerificationSettings,
  side: Side,
  evaluation: Evaluation,
  subject: Subject,
): Promise<Verdict> {
  const sender = evaluation.session.transaction?.sender ?? ''
  const resolution = await resolveAddress(settings.rewriter, sender, subject.name)
  if (resolution.kind === 'unknown') return refuse(lookupFailure(subject.name))
  const answer = await ask(settings, resolution.recipient)
  if (answer?.recipientStatus === RECIPIENT_STATUS.ok) return dunno
  const isBounced = answer?.recipientStatus === RECIPIENT_STATUS.bounced
  const found = answer?.reason ?? 'address verification problem'
  // as Postfix: a reason of our own hides what is known of a sender, and of a recipient that bounced
  const isHidden = side.rejectReason !== '' && (isBounced || side === settings.sender)
  const reason = isHidden ? side.rejectReason : found
  if (isBounced) {
    const isForGood = side === settings.recipient || side.rejectCode >= 500
    const what = isForGood ? 'undeliverable address' : 'unverified address'
    return refuse(failure(side, evaluation, subject, side.rejectCode, `${what}: ${reason}`))
  }
  // 250 accepts what could not be verified
  if (side.deferCode < 400) return dunno
  const text = `unverified address: ${reason}`
  return evaluation.tempfail(
    side.tempfail,
    failure(side, evaluation, subject, side.deferCode, text),
  )
}

/** The probe's reason may bring an enhanced code. */
function failure(
  side: Side,
  evaluation: Evaluation,
  subject: Subject,
  code: number,
  text: string,
): string {
  const [, what = '', own, rest = ''] =
    /^(\w+ address: )([45]\.\d{1,3}\.\d{1,3}) ([^]*)$/.exec(text) ?? []
  const words = own === undefined ? text : what + rest
  return replyText(
    code,
    adaptDetail(own ?? side.detail, subject),
    evaluation.describe(words, subject),
  )
}

/** Asks until there is something to say; undefined: the service is of no help. */
async function ask(
  { client, pollCount, pollDelayMs }: VerificationSettings,
  address: string,
): Promise<VerifyAnswer | undefined> {
  for (let count = 1; ; count++) {
    try {
      const answer = await client.query(address)
      if (answer.status !== VERIFY_STATUS.ok) return undefined
      if (answer.recipientStatus !== RECIPIENT_STATUS.todo || count >= pollCount) return answer
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      log.warning(`${address}: address verification: ${error.message}`)
      return undefined
    }
    await sleep(pollDelayMs)
  }
}
