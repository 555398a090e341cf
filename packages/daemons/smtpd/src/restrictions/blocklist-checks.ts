/**
 * blocklist-checks - refuses what a DNS blocklist or permits what an allowlist knows (RFC 5782)
 *
 * `reject_rbl_client zen.example=127.0.0.2`: the client's address, reversed, below the list's domain. The
 * reply shows the list's TXT record. A list that does not answer is no reason to refuse.
 * Source: Postfix 3.7 postconf(5) reject_rbl_client, default_rbl_reply.
 */
import { splitAddress } from '@posthorn/address/split-address'
import { log } from '@posthorn/log/log'
import type { Resolver } from '@posthorn/dns/resolver'
import type { Evaluation } from './evaluation.ts'
import { replyText } from './reply-text.ts'
import { dunno, permit, refuse, type Check, type Verdict } from './restriction.ts'
import { reverseAddress } from './reverse-address.ts'

export interface BlocklistSettings {
  readonly resolver: Resolver
  /** maps_rbl_reject_code */
  readonly rejectCode: number
}

interface Blocklist {
  readonly domain: string
  /** The reply that counts; undefined = any. */
  readonly wanted: string | undefined
}

function parseBlocklist(argument: string): Blocklist {
  const equals = argument.indexOf('=')
  return equals < 0
    ? { domain: argument, wanted: undefined }
    : { domain: argument.slice(0, equals), wanted: argument.slice(equals + 1) }
}

type Listing = { readonly kind: 'listed'; readonly name: string } | { readonly kind: 'unlisted' }

async function isListed(
  resolver: Resolver,
  query: string,
  { domain, wanted }: Blocklist,
): Promise<Listing> {
  const name = `${query}.${domain}`
  const answer = await resolver.query(name, 'A')
  if (answer.kind === 'found') {
    const isWanted = answer.records.some(
      ({ address }) => wanted === undefined || matchesReply(wanted, address),
    )
    return isWanted ? { kind: 'listed', name } : { kind: 'unlisted' }
  }
  if (answer.kind === 'tryAgain' || answer.kind === 'failed') {
    log.warning(`${name}: RBL lookup error: ${answer.reason}`)
  }
  return { kind: 'unlisted' }
}

/** `127.0.0.[2..4;10]`: octets, ranges and alternatives, as in postscreen_dnsbl_sites. */
function matchesReply(pattern: string, address: string): boolean {
  const octets = address.split('.')
  const parts = pattern.match(/\[[^\]]*\]|\d+/g) ?? []
  return (
    parts.length === 4 &&
    parts.every((part, index) => {
      const octet = Number(octets[index])
      return part
        .replace(/[[\]]/g, '')
        .split(';')
        .some((choice) => {
          const [low, high] = choice.split('..')
          return octet >= Number(low) && octet <= Number(high ?? low)
        })
    })
  )
}

async function refusal(
  { resolver, rejectCode }: BlocklistSettings,
  name: string,
  domain: string,
  what: string,
): Promise<Verdict> {
  const answer = await resolver.query(name, 'TXT')
  const why = answer.kind === 'found' ? (answer.records[0]?.text ?? '') : ''
  const text = `Service unavailable; ${what} blocked using ${domain}${why === '' ? '' : `; ${why}`}`
  return refuse(replyText(rejectCode, '5.7.1', text))
}

function domainOf(evaluation: Evaluation, restriction: string): string | undefined {
  const { session, client } = evaluation
  const domainPart = (address: string | undefined): string | undefined =>
    address === undefined ? undefined : splitAddress(address).domain
  switch (restriction) {
    case 'reject_rhsbl_client':
      return client.name === 'unknown' ? undefined : client.name
    case 'reject_rhsbl_reverse_client':
      return client.reverseName === 'unknown' ? undefined : client.reverseName
    case 'reject_rhsbl_helo':
      return session.helo
    case 'reject_rhsbl_sender':
      return domainPart(session.transaction?.sender)
    default:
      return domainPart(session.recipient)
  }
}

const SHOWN = new Map([
  ['reject_rhsbl_client', 'Client host'],
  ['reject_rhsbl_reverse_client', 'Unverified Client host'],
  ['reject_rhsbl_helo', 'Helo command'],
  ['reject_rhsbl_sender', 'Sender address'],
  ['reject_rhsbl_recipient', 'Recipient address'],
])

/** The check that a restriction with its argument stands for; undefined for other names. */
export function blocklistCheck(
  restriction: string,
  argument: string,
  settings: BlocklistSettings,
): Check | undefined {
  const list = parseBlocklist(argument)
  switch (restriction) {
    case 'reject_rbl_client':
    case 'permit_dnswl_client':
      return async ({ client }) => {
        const reversed = reverseAddress(client.address)
        if (reversed === undefined) return dunno
        const listing = await isListed(settings.resolver, reversed, list)
        if (listing.kind === 'unlisted') return dunno
        if (restriction === 'permit_dnswl_client') return permit
        return refusal(settings, listing.name, list.domain, `Client host [${client.address}]`)
      }
    default: {
      const shown = SHOWN.get(restriction)
      if (shown === undefined) return undefined
      return async (evaluation) => {
        const domain = domainOf(evaluation, restriction)
        if (domain === undefined || domain.startsWith('[')) return dunno
        const listing = await isListed(settings.resolver, domain, list)
        if (listing.kind === 'unlisted') return dunno
        return refusal(settings, listing.name, list.domain, `${shown} [${domain}]`)
      }
    }
  }
}
