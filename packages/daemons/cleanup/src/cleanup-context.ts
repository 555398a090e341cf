/**
 * cleanup-context - what all messages of this process have in common
 */
import type { CheckTables } from '@posthorn/message/content-checks'
import type { FileSupply } from '@posthorn/queue/file-supply'
import type { QueueLayout } from '@posthorn/queue/queue-layout'
import type { AddressMapping } from './address-mapping.ts'
import type { BccMaps } from './bcc-maps.ts'
import type { BounceClient } from './bounce-client.ts'
import type { QueueNotifier } from './queue-notifier.ts'
import type { Settings } from './settings.ts'
import type { VirtualAliases } from './virtual-aliases.ts'

export interface CleanupContext {
  readonly settings: Settings
  readonly layout: QueueLayout
  readonly supply: FileSupply
  readonly mapping: AddressMapping
  /** Absent when nothing is configured: then nothing has to wait for a lookup. */
  readonly virtualAliases: VirtualAliases | undefined
  readonly bccMaps: BccMaps | undefined
  readonly checkTables: CheckTables | undefined
  /** The name of a table that was replaced on disk: this process must end. */
  readonly staleTable: () => string | undefined
  readonly bounces: BounceClient
  readonly notifier: QueueNotifier
}
