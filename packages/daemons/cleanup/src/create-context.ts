/**
 * create-context - puts together what the messages of this process share
 *
 * Opens the tables, so it is called before the jail closes. The services that cleanup(8) talks to come from outside, so that a test can play them.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { FileSupply } from '@posthorn/queue/file-supply'
import type { QueueLayout } from '@posthorn/queue/queue-layout'
import type { BounceRequest } from '@posthorn/wire/bounce-protocol'
import type { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import { AddressMapping } from './address-mapping.ts'
import { AddressRewriter } from './address-rewriter.ts'
import { BccMaps } from './bcc-maps.ts'
import { BounceClient } from './bounce-client.ts'
import { CanonicalMaps, type ClassedMap } from './canonical-maps.ts'
import type { CleanupContext } from './cleanup-context.ts'
import type { CleanupMaps } from './cleanup-maps.ts'
import type { MappingClass } from './mapping-class.ts'
import { Masquerade } from './masquerade.ts'
import { openMaps } from './open-maps.ts'
import { QueueNotifier } from './queue-notifier.ts'
import { readSettings, type Settings } from './settings.ts'
import { VirtualAliases } from './virtual-aliases.ts'

export interface Neighbours {
  readonly rewriteClient: Pick<RewriteClient, 'rewrite'>
  /** @returns the status in the reply: 0 is done */
  readonly sendBounce: (path: string, request: BounceRequest) => Promise<number>
  readonly wakeQmgr: (path: string) => Promise<void>
}

export async function createContext(
  config: MainConfig,
  layout: QueueLayout,
  neighbours: Neighbours,
): Promise<CleanupContext> {
  const settings = readSettings(config)
  const rewriter = new AddressRewriter(neighbours.rewriteClient)
  const maps = await openMaps(config, rewriter)
  const { senderBcc, recipientBcc, virtualAlias } = maps
  const hasBccMaps = senderBcc !== undefined || recipientBcc !== undefined
  return {
    settings,
    layout,
    supply: new FileSupply(),
    mapping: new AddressMapping(rewriter, {
      canonical: canonicalMaps(settings, maps),
      masquerade: masquerade(settings, maps),
    }),
    virtualAliases:
      virtualAlias === undefined ? undefined : new VirtualAliases(virtualAlias, settings),
    bccMaps: hasBccMaps ? new BccMaps({ sender: senderBcc, recipient: recipientBcc }) : undefined,
    checkTables: maps.checks,
    staleTable: maps.staleTable,
    bounces: new BounceClient(neighbours.sendBounce, {
      bounce: `private/${config.text('bounce_service_name')}`,
      trace: `private/${config.text('trace_service_name')}`,
    }),
    notifier: new QueueNotifier(`public/${config.text('queue_service_name')}`, neighbours.wakeQmgr),
  }
}

function canonicalMaps(settings: Settings, maps: CleanupMaps): CanonicalMaps | undefined {
  const classed: ClassedMap[] = []
  const add = (map: ClassedMap['map'] | undefined, classes: ReadonlySet<MappingClass>): void => {
    if (map !== undefined) classed.push({ map, classes })
  }
  add(maps.senderCanonical, onlyKind(settings.senderCanonicalClasses, 'sender'))
  add(maps.recipientCanonical, onlyKind(settings.recipientCanonicalClasses, 'recipient'))
  add(maps.canonical, settings.canonicalClasses)
  return classed.length === 0 ? undefined : new CanonicalMaps(classed)
}

function onlyKind(
  classes: ReadonlySet<MappingClass>,
  kind: 'sender' | 'recipient',
): ReadonlySet<MappingClass> {
  return new Set([...classes].filter((name) => name.endsWith(kind)))
}

function masquerade(settings: Settings, maps: CleanupMaps): Masquerade | undefined {
  if (settings.masqueradeDomains.length === 0) return undefined
  return new Masquerade({
    domains: settings.masqueradeDomains,
    classes: settings.masqueradeClasses,
    exceptions: maps.masqueradeExceptions,
  })
}
