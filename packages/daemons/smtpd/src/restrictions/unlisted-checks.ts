/**
 * unlisted-checks - refuses addresses in our own domains that nobody has
 *
 * A message for an unknown user is refused while the client is still there, instead of being bounced to a
 * sender who may be forged. A table that fails means: come again.
 * Source: Postfix 3.7, LOCAL_RECIPIENT_README; reject_unlisted_recipient and reject_unlisted_sender.
 */
import { splitAddress } from '@posthorn/address/split-address'
import { RESOLVE_FLAGS, type RewriteClient } from '@posthorn/wire/rewrite-protocol'
import { adaptDetail } from './access-action.ts'
import { resolveAddress, type Resolution } from './address-resolver.ts'
import type { AddressMap } from './address-map.ts'
import { lookupFailure, type Evaluation, type Subject } from './evaluation.ts'
import { replyText } from './reply-text.ts'
import { dunno, refuse, type Check, type Verdict } from './restriction.ts'

export interface UnlistedSettings {
  readonly rewriter: RewriteClient
  /** Rewriting that makes an address valid whatever domain it is in. */
  readonly rewritingMaps: readonly AddressMap[]
  readonly localRecipients: AddressMap
  readonly virtualMailboxes: AddressMap
  readonly relayRecipients: AddressMap
  /** unknown_*_reject_code */
  readonly codes: {
    readonly local: number
    readonly virtualAlias: number
    readonly virtualMailbox: number
    readonly relay: number
  }
  /** show_user_unknown_table_name */
  readonly isTableShown: boolean
  /** double_bounce_sender: made by bounce(8), absorbed by qmgr(8). */
  readonly doubleBounceSender: string
}

const ALWAYS_LOCAL = new Set(['postmaster', 'mailer-daemon'])

export function unlistedChecks(settings: UnlistedSettings): [string, Check][] {
  return [
    [
      'reject_unlisted_recipient',
      async (evaluation) => {
        const { recipient } = evaluation
        if (recipient === undefined) return dunno
        return checkListed(settings, evaluation, {
          name: recipient,
          className: 'Recipient address',
        })
      },
    ],
    [
      'reject_unlisted_sender',
      async (evaluation) => {
        const sender = evaluation.session.transaction?.sender
        if (sender === undefined || sender === '') return dunno
        return checkListed(settings, evaluation, { name: sender, className: 'Sender address' })
      },
    ],
  ]
}

/** Refuses `subject`, an address in internal form, when it is in a domain of ours and in no table. */
export async function checkListed(
  settings: UnlistedSettings,
  evaluation: Evaluation,
  subject: Subject,
): Promise<Verdict> {
  const sender = evaluation.session.transaction?.sender ?? ''
  const resolution = await resolveAddress(settings.rewriter, sender, subject.name)
  if (resolution.kind === 'unknown') return refuse(lookupFailure(subject.name))
  for (const map of settings.rewritingMaps) {
    const found = await map.find(resolution.recipient)
    if (found === 'tryAgain') return refuse(lookupFailure(subject.name))
    if (found === 'found') return dunno
  }
  if (isOurOwn(settings, resolution.recipient)) return dunno
  const detail = subject.className === 'Sender address' ? '5.1.0' : '5.1.1'
  if (resolution.transport === 'error' || resolution.transport === 'retry') {
    const isAlias = (resolution.flags & RESOLVE_FLAGS.classVirtualAlias) !== 0
    const code = isAlias ? settings.codes.virtualAlias : undefined
    return refuseError(evaluation, subject, resolution, detail, code)
  }
  const unknown = await findUnknown(settings, resolution)
  if (unknown === undefined) return dunno
  if (unknown === 'tryAgain') return refuse(lookupFailure(subject.name))
  const table = settings.isTableShown ? ` in ${unknown.table}` : ''
  const text = evaluation.describe(`User unknown${table}`, subject)
  return refuse(replyText(unknown.code, detail, text))
}

/** The error transport carries its text, perhaps with an enhanced code of its own, as next hop. */
function refuseError(
  evaluation: Evaluation,
  subject: Subject,
  resolution: { transport: string; nexthop: string },
  detail: string,
  ownCode: number | undefined,
): Verdict {
  const isRetry = resolution.transport === 'retry'
  const nexthop = adaptDetail(resolution.nexthop, subject)
  const [, own, text] = /^([245]\.\d{1,3}\.\d{1,3})\s*([^]*)$/.exec(nexthop) ?? []
  const code = ownCode ?? (isRetry || own?.startsWith('4') === true ? 450 : 550)
  const words = evaluation.describe(text ?? resolution.nexthop, subject)
  return refuse(replyText(code, own ?? detail, words))
}

function isOurOwn(settings: UnlistedSettings, recipient: string): boolean {
  const local = splitAddress(recipient).local.toLowerCase()
  return local === settings.doubleBounceSender.toLowerCase()
}

interface Unknown {
  readonly code: number
  readonly table: string
}

/** How to refuse the address; undefined: it has an entry, or belongs to a class without tables. */
async function findUnknown(
  settings: UnlistedSettings,
  resolution: Resolution & { kind: 'resolved' },
): Promise<Unknown | 'tryAgain' | undefined> {
  const { codes } = settings
  const { flags, recipient } = resolution
  const has = (flag: number): boolean => (flags & flag) !== 0
  if (has(RESOLVE_FLAGS.classVirtualAlias)) {
    return { code: codes.virtualAlias, table: 'virtual alias table' }
  }
  if (has(RESOLVE_FLAGS.classLocal)) {
    if (ALWAYS_LOCAL.has(splitAddress(recipient).local.toLowerCase())) return undefined
    const unknown = { code: codes.local, table: 'local recipient table' }
    return lookIn(settings.localRecipients, recipient, unknown)
  }
  if (has(RESOLVE_FLAGS.classVirtualMailbox)) {
    const unknown = { code: codes.virtualMailbox, table: 'virtual mailbox table' }
    return lookIn(settings.virtualMailboxes, recipient, unknown)
  }
  if (has(RESOLVE_FLAGS.classRelay)) {
    const unknown = { code: codes.relay, table: 'relay recipient table' }
    return lookIn(settings.relayRecipients, recipient, unknown)
  }
  return undefined
}

/** Without tables every address is known. */
async function lookIn(
  map: AddressMap,
  recipient: string,
  unknown: Unknown,
): Promise<Unknown | 'tryAgain' | undefined> {
  if (map.isEmpty) return undefined
  const found = await map.find(recipient)
  return found === 'absent' ? unknown : found === 'tryAgain' ? found : undefined
}
