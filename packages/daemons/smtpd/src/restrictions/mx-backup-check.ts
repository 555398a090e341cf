/**
 * mx-backup-check - permit_mx_backup: are we a backup mail exchanger of the recipient's domain
 *
 * One of its MX hosts has an address of ours, the first ones have none, and where permit_mx_backup_networks are set, the
 * first ones are in them. Domains that we serve anyway are permitted. Whoever can change his DNS decides about this, so
 * addresses with a route in them get nothing. Where DNS cannot say, a refusal is not for good.
 * Source: Postfix 3.7 postconf(5).
 */
import { splitAddress } from '@posthorn/address/split-address'
import type { Resolver } from '@posthorn/dns/resolver'
import { lookupNative } from '@posthorn/dns/native-lookup'
import { RESOLVE_FLAGS, type RewriteClient } from '@posthorn/wire/rewrite-protocol'
import type { AddressList } from '@posthorn/tables/match-list'
import { isOurs, resolveAddress } from './address-resolver.ts'
import { lookupFailure, type Evaluation, type Subject } from './evaluation.ts'
import { dunno, permit, refuse, type Check, type Verdict } from './restriction.ts'
import { shortReason } from './short-reason.ts'

export interface MxBackupSettings {
  readonly rewriter: RewriteClient
  readonly resolver: Resolver
  /** Addresses of this host, and of those in front of it (proxy_interfaces). */
  readonly ownAddresses: ReadonlySet<string>
  readonly networks: AddressList
  readonly hasIpv6: boolean
}

interface Exchanger {
  readonly preference: number
  readonly addresses: readonly string[]
}

export function mxBackupCheck(settings: MxBackupSettings): [string, Check] {
  return ['permit_mx_backup', async (evaluation) => permitMxBackup(settings, evaluation)]
}

async function permitMxBackup(
  settings: MxBackupSettings,
  evaluation: Evaluation,
): Promise<Verdict> {
  const name = evaluation.recipient
  if (name === undefined) return dunno
  const subject: Subject = { name, className: 'Recipient address' }
  const sender = evaluation.session.transaction?.sender ?? ''
  const resolution = await resolveAddress(settings.rewriter, sender, name)
  if (resolution.kind === 'unknown') return refuse(lookupFailure(name))
  if (isOurs(resolution)) return permit('permit_mx_backup', subject)
  const { domain } = splitAddress(resolution.recipient)
  const isRouted = (resolution.flags & RESOLVE_FLAGS.routed) !== 0
  if (isRouted || domain === undefined || domain.startsWith('[')) return dunno
  const answer = await settings.resolver.query(domain, 'MX')
  if (answer.kind === 'tryAgain' || answer.kind === 'failed') {
    const what = 'Unable to look up mail exchanger information'
    return defer(evaluation, subject, `${what}: ${shortReason(answer.reason)}`)
  }
  if (answer.kind !== 'found') return dunno
  const exchangers: Exchanger[] = []
  for (const { host, preference } of answer.records) {
    const found = await lookupNative(host, settings.hasIpv6 ? 0 : 4)
    if (found.kind === 'tryAgain') {
      const what = `Unable to look up mail exchanger host ${host}`
      return defer(evaluation, subject, `${what}: ${found.reason}`)
    }
    if (found.kind === 'found') exchangers.push({ preference, addresses: found.addresses })
  }
  const best = Math.min(...exchangers.map(({ preference }) => preference))
  const isOwn = ({ addresses }: Exchanger): boolean =>
    addresses.some((address) => settings.ownAddresses.has(address))
  const primaries = exchangers.filter(({ preference }) => preference === best)
  if (!exchangers.some(isOwn) || primaries.some(isOwn)) return dunno
  if (!settings.networks.isEmpty) {
    for (const address of primaries.flatMap(({ addresses }) => addresses)) {
      if (!(await settings.networks.matches(address))) return dunno
    }
  }
  return permit('permit_mx_backup', subject)
}

/** A refusal would be for good, and perhaps wrong. */
function defer(evaluation: Evaluation, subject: Subject, text: string): Verdict {
  evaluation.deferIfReject ??= `450 4.4.4 ${evaluation.describe(text, subject)}`
  return dunno
}
