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
import type { MapList } from '@posthorn/tables/map-list'
import type { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import type { ReplyTemplate } from '../reply-template.ts'
import { adaptDetail } from './access-action.ts'
import { isOurs, resolveAddress } from './address-resolver.ts'
import type { Evaluation, Subject } from './evaluation.ts'
import { replyText } from './reply-text.ts'
import { dunno, permit, refuse, type Check, type Verdict } from './restriction.ts'
import { reverseAddress } from './reverse-address.ts'

export interface BlocklistSettings {
  readonly resolver: Resolver
  readonly rewriter: RewriteClient
  /** maps_rbl_reject_code */
  readonly rejectCode: number
  /** default_rbl_reply, rbl_reply_maps */
  readonly defaultReply: string
  readonly replies: MapList
  readonly template: ReplyTemplate
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

type Listing =
  | { readonly kind: 'listed'; readonly name: string }
  | { readonly kind: 'unlisted' }
  /** The list does not answer. */
  | { readonly kind: 'unknown' }

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
    return { kind: 'unknown' }
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

interface Listed {
  readonly name: string
  readonly domain: string
  /** `$rbl_what`, and `$rbl_class`. */
  readonly subject: Subject
}

/** default_rbl_reply, or what rbl_reply_maps have for the list. */
async function refusal(
  { resolver, rejectCode, defaultReply, replies, template }: BlocklistSettings,
  { session, recipient }: Evaluation,
  { name, domain, subject }: Listed,
): Promise<Verdict> {
  const answer = await resolver.query(name, 'TXT')
  const own = await replies.find(domain)
  const values = {
    rbl_code: String(rejectCode),
    rbl_reason: answer.kind === 'found' ? (answer.records[0]?.text ?? '') : '',
    rbl_domain: domain,
    rbl_what: subject.name,
    rbl_class: subject.className,
  }
  const text = own.kind === 'found' ? own.value : defaultReply
  const reply = template.expand(session, text, values, recipient)
  const [, code = '', words = reply] = /^([245]\d\d) ([^]*)$/.exec(reply) ?? []
  return refuse(replyText(Number(code || rejectCode), '5.7.1', adaptDetail(words, subject)))
}

/** The domain to look up, and whose it is; undefined: there is none. */
function findDomain(
  { client, session, recipient, clientSubject }: Evaluation,
  restriction: string,
): { domain: string; subject: Subject } | undefined {
  const ofAddress = (
    address = '',
    className: Subject['className'],
  ): ReturnType<typeof findDomain> => {
    const domain = splitAddress(address).domain ?? ''
    return ofName(domain, { name: address, className })
  }
  const ofName = (domain: string, subject: Subject): ReturnType<typeof findDomain> =>
    domain === '' || domain === 'unknown' || domain.startsWith('[')
      ? undefined
      : { domain, subject }
  switch (restriction) {
    case 'reject_rhsbl_client':
    case 'permit_rhswl_client':
      return ofName(client.name, { name: client.name, className: clientSubject.className })
    case 'reject_rhsbl_reverse_client':
      return ofName(client.reverseName, {
        name: client.reverseName,
        className: 'Unverified Client host',
      })
    case 'reject_rhsbl_helo':
      return ofName(session.helo ?? '', { name: session.helo ?? '', className: 'Helo command' })
    case 'reject_rhsbl_sender':
      return ofAddress(session.transaction?.sender, 'Sender address')
    default:
      return ofAddress(recipient, 'Recipient address')
  }
}

const BY_NAME = new Set([
  'reject_rhsbl_client',
  'reject_rhsbl_reverse_client',
  'reject_rhsbl_helo',
  'reject_rhsbl_sender',
  'reject_rhsbl_recipient',
  'permit_rhswl_client',
])
const BY_ADDRESS = new Set(['reject_rbl_client', 'permit_dnswl_client'])

/** The check that a restriction with its argument stands for; undefined for other names. */
export function blocklistCheck(
  restriction: string,
  argument: string | undefined,
  settings: BlocklistSettings,
): Check | undefined {
  if (!BY_ADDRESS.has(restriction) && !BY_NAME.has(restriction)) return undefined
  if (argument === undefined) {
    return () => {
      log.warning(`restriction ${restriction} requires domain name argument`)
      return dunno
    }
  }
  const list = parseBlocklist(argument)
  return async (evaluation) => {
    const { client } = evaluation
    const target = BY_ADDRESS.has(restriction)
      ? {
          domain: reverseAddress(client.address),
          subject: { name: client.address, className: 'Client host' as const },
        }
      : findDomain(evaluation, restriction)
    if (target?.domain === undefined) return dunno
    const isPermit = restriction.startsWith('permit_')
    if (isPermit && (await wouldRelay(settings, evaluation))) return dunno
    const listing = await isListed(settings.resolver, target.domain, list)
    if (isPermit) return allow(evaluation, restriction, listing, target.subject)
    if (listing.kind !== 'listed') return dunno
    const { subject } = target
    return refusal(settings, evaluation, { name: listing.name, domain: list.domain, subject })
  }
}

function allow(
  evaluation: Evaluation,
  restriction: string,
  listing: Listing,
  subject: Subject,
): Verdict {
  if (listing.kind === 'listed') return permit(restriction, evaluation.clientSubject)
  if (listing.kind === 'unknown') {
    // who may be on the list is not refused for good
    const text = evaluation.describe('Service unavailable', subject)
    evaluation.deferIfReject ??= `450 4.7.1 ${text}`
  }
  return dunno
}

/** Somebody else's list does not make a relay of us. */
async function wouldRelay(
  { rewriter }: BlocklistSettings,
  evaluation: Evaluation,
): Promise<boolean> {
  const { recipient, session } = evaluation
  if (recipient === undefined) return false
  const resolution = await resolveAddress(rewriter, session.transaction?.sender ?? '', recipient)
  return resolution.kind === 'unknown' || !isOurs(resolution)
}
