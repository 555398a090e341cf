/**
 * dane-policy - what TLSA records mean for the connection to one server (RFC 7672)
 *
 * Levels dane and dane-only become, in this order:
 *
 *   cannot be had here (Unix socket, no DNSSEC look-ups, look-ups that guess)   may, or no delivery
 *   MX records not validated, and nothing is to be made of that                may, or no delivery
 *   TLSA records cannot be looked up                                           no delivery (RFC 7672 2.1.1)
 *   there are none, or nobody vouches for the host's address                   may, or no delivery
 *   none that can be used                                                      encrypt, or no delivery
 *   MX records not validated                                                   encrypt, or half-dane
 *   else                                                                       as asked for
 *
 * "or no delivery": at dane-only. Source: RFC 7672 2.2, 3.1; Postfix 3.7 TLS_README.
 */
import { log } from '@posthorn/log/log'
import { TLS_LEVELS, type TlsaRecord } from '@posthorn/wire/tlsproxy-protocol'
import type { AddressLookup } from './address-lookup.ts'
import type { ClientOptions } from './client-options.ts'
import type { DnssecProbe } from './dnssec-probe.ts'
import type { DnsFacts } from './server-host.ts'
import { tlsLevelName, type TlsOptions } from './tls-options.ts'
import {
  badTlsConfiguration,
  TlsPolicyError,
  type AppliedPolicy,
  type DaneFindings,
  type TlsFault,
  type TlsTarget,
} from './tls-policy.ts'

export interface DaneContext {
  readonly client: Pick<
    ClientOptions,
    'protocol' | 'dnsSupport' | 'usesDns' | 'ignoresMxErrors' | 'search'
  >
  readonly tls: TlsOptions
  readonly lookup: Pick<AddressLookup, 'findTlsa'>
  readonly probe: DnssecProbe | undefined
}

const { may, encrypt, halfDane, daneOnly } = TLS_LEVELS

/** @throws {TlsPolicyError} no mail to this server now */
export async function findDane(
  level: number,
  target: TlsTarget,
  context: DaneContext,
): Promise<DaneFindings> {
  const isOnly = level === daneOnly
  const obstacle = findObstacle(level, target, context)
  if (obstacle !== undefined) {
    log.warning(`${target.element}: ${obstacle}`)
    if (isOnly || target.host.port === 0) throw badTlsConfiguration()
    return { level: may }
  }
  const weaken = (to: number, why: string, unusable?: AppliedPolicy): DaneFindings => {
    const missing = { code: 'dane-required' } as const
    if (isOnly) {
      throw new TlsPolicyError('4.7.5', why, unusable ?? appliedTlsa(target.host.name, [], missing))
    }
    return unusable === undefined ? { level: to } : { level: to, applied: unusable }
  }
  const { dns } = target.host
  const isMxSecure = dns?.isMxSecure ?? true
  await context.probe?.observe(isMxSecure && dns?.isAddressSecure === true)
  if (!isMxSecure && (isOnly || context.tls.insecureMxLevel === may)) {
    return weaken(may, 'non DNSSEC destination')
  }
  const found = await findRecords(dns, target, context)
  if (found === undefined) return weaken(may, 'no TLSA records found')
  const { domain, records, all } = found
  if (records.length === 0) {
    const unusable = appliedTlsa(domain, all, { code: 'tlsa-invalid' })
    return weaken(encrypt, 'TLSA records unusable', unusable)
  }
  const applied = appliedTlsa(domain, all)
  if (!isMxSecure && context.tls.insecureMxLevel === encrypt) return { level: encrypt, applied }
  // RFC 7672 3.2.2: the TLSA base domain, and for a validated MX the destination, are names that will do
  const matches = isMxSecure ? [domain, target.domain] : [domain]
  return {
    level: isMxSecure ? level : halfDane,
    anchors: { domain, records },
    matches: [...new Set(matches)],
    applied,
  }
}

function appliedTlsa(domain: string, all: readonly TlsaRecord[], fault?: TlsFault): AppliedPolicy {
  const policy = { type: 'tlsa', domain, strings: all.map(recordText), mxHostPatterns: [] } as const
  return fault === undefined ? policy : { ...policy, fault }
}

/** Why DANE is out of the question, in the words after the destination. */
function findObstacle(
  level: number,
  { host }: TlsTarget,
  { client }: DaneContext,
): string | undefined {
  const name = tlsLevelName(level)
  if (host.port === 0) {
    return 'the "dane" security level is invalid for delivery via unix-domain sockets'
  }
  if (!client.usesDns || client.dnsSupport !== 'dnssec') {
    return `${name} configured with dnssec lookups disabled`
  }
  if (client.protocol === 'smtp' && client.ignoresMxErrors) {
    return `${name} configured with MX lookup errors ignored`
  }
  if (client.search !== undefined) {
    return `dns resolver options incompatible with ${name} TLS`
  }
  return undefined
}

interface FoundRecords {
  /** TLSA base domain. */
  domain: string
  /** Those that can be used. */
  records: readonly TlsaRecord[]
  all: readonly TlsaRecord[]
}

/** RFC 7672 2.2.2: under the name at the end of the aliases, then under that at their beginning. */
async function findRecords(
  dns: DnsFacts | undefined,
  { host: { port } }: TlsTarget,
  { lookup, tls }: DaneContext,
): Promise<FoundRecords | undefined> {
  if (dns === undefined) return undefined
  const { queryName, replyName, isAddressSecure } = dns
  if (!isAddressSecure && !tls.forcesTlsaLookup) return undefined
  const names = isAddressSecure ? new Set([replyName, queryName]) : [queryName]
  for (const name of names) {
    const answer = await lookup.findTlsa(name, port)
    if (answer.kind === 'failed') {
      log.warning(`DANE TLSA lookup problem: ${answer.text}`)
      const reason = `TLSA lookup error for ${name}:${port}`
      throw new TlsPolicyError('4.7.5', reason, appliedTlsa(name, [], { code: 'dnssec-invalid' }))
    }
    if (answer.kind === 'missing' || !answer.isSecure) continue
    const owner = `_${port}._tcp.${name}`
    const records = answer.records.filter((record) => isUsable(record, owner))
    if (tls.logsRecords) {
      for (const record of records) {
        log.info(`DNSSEC-signed TLSA record: ${owner}: ${recordText(record)}`)
      }
    }
    return { domain: name, records, all: answer.records }
  }
  return undefined
}

/** RFC 7672 3.1.3: PKIX-TA(0) and PKIX-EE(1) mean nothing between mail servers. */
function isUsable(record: TlsaRecord, owner: string): boolean {
  if (record.usage === 2 || record.usage === 3) return true
  log.warning(`${owner} unsupported TLSA certificate usage: ${recordText(record)}`)
  return false
}

function recordText({ usage, selector, matchingType, data }: TlsaRecord): string {
  const hex = Buffer.from(data, 'latin1').toString('hex').toUpperCase()
  return `${usage} ${selector} ${matchingType} ${hex}`
}
