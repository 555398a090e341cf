/**
 * cleanup-maps - the tables of cleanup(8); what is not configured is absent
 */
import type { CheckTables } from '@posthorn/message/content-checks'
import type { AddressMap } from './address-map.ts'
import type { NameList } from './masquerade.ts'

export interface CleanupMaps {
  readonly canonical: AddressMap | undefined
  readonly senderCanonical: AddressMap | undefined
  readonly recipientCanonical: AddressMap | undefined
  readonly virtualAlias: AddressMap | undefined
  readonly senderBcc: AddressMap | undefined
  readonly recipientBcc: AddressMap | undefined
  /** header_checks and its relatives, when there is at least one. */
  readonly checks: CheckTables | undefined
  readonly masqueradeExceptions: NameList | undefined
  /** The name of a table that was replaced on disk: this process must end. */
  readonly staleTable: () => string | undefined
}
