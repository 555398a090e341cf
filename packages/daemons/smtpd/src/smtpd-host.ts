/**
 * smtpd-host - what all sessions of this process share
 */
import type { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import type { Policy } from './restrictions/policy.ts'
import type { ClientLimits } from './client-limits.ts'
import type { ClientNames } from './client-name.ts'
import type { MilterStandIn } from './milter-stand-in.ts'
import type { SmtpdSettings } from './smtpd-settings.ts'

export interface SmtpdHost {
  readonly settings: SmtpdSettings
  /** First column of master.cf: smtpd_client_* limits are counted per service. */
  readonly serviceName: string
  readonly rewriter: RewriteClient
  readonly policy: Policy
  readonly limits: ClientLimits
  readonly names: ClientNames
  readonly milters: MilterStandIn
}
