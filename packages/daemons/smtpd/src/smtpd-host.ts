/**
 * smtpd-host - what all sessions of this process share
 */
import type { ChannelPool } from '@posthorn/wire/channel-pool'
import type { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import type { Policy } from './restrictions/policy.ts'
import type { StringList } from '@posthorn/tables/match-list'
import type { MapList } from '@posthorn/tables/map-list'
import type { ClientLimits } from './client-limits.ts'
import type { ClientNames } from './client-name.ts'
import type { PermissionLists } from './client-permissions.ts'
import type { MilterStandIn } from './milter-stand-in.ts'
import type { ReplyFooter } from './reply-footer.ts'
import type { SmtpdSettings } from './smtpd-settings.ts'

export interface SmtpdHost {
  readonly settings: SmtpdSettings
  /** Connections to cleanup(8) between two messages. */
  readonly cleanups: ChannelPool
  /** First column of master.cf: smtpd_client_* limits are counted per service. */
  readonly serviceName: string
  readonly rewriter: RewriteClient
  readonly policy: Policy
  readonly limits: ClientLimits
  readonly names: ClientNames
  readonly milters: MilterStandIn
  readonly permissions: PermissionLists
  /** Undefined: refusals are as they are. */
  readonly footer: ReplyFooter | undefined
  /** smtpd_log_access_permit_actions */
  readonly permitLog: StringList
  /** smtpd_command_filter */
  readonly commandFilter: MapList
}
