/**
 * access-checks - restrictions that look something up in an access(5) table
 *
 * `check_client_access hash:/etc/postfix/access` and its sisters; a bare `hash:...` in a list means the check
 * that fits the list. A table that fails means: come again. Source: Postfix 3.7 postconf(5), access(5).
 */
import { log } from '@posthorn/log/log'
import { foldCase, type ExtensionRules } from '@posthorn/address/split-address'
import type { LookupTable } from '@posthorn/tables/lookup-table'
import { carryOut, type AccessSettings } from './access-action.ts'
import { addressKeys, domainKeys, mailKeys, type AccessKey } from './access-keys.ts'
import type { Evaluation, Subject } from './evaluation.ts'
import { dunno, type Check, type Verdict } from './restriction.ts'

export interface AccessCheckSettings extends AccessSettings {
  readonly extensions: ExtensionRules
  /** Subdomains are found under `.example.com`, not under `example.com`. */
  readonly isDotted: boolean
  /** smtpd_null_access_lookup_key */
  readonly nullKey: string
}

/** What the first entry found says; undefined: there is none. */
export async function search(
  evaluation: Evaluation,
  table: LookupTable,
  keys: readonly AccessKey[],
  subject: Subject,
  settings: AccessCheckSettings,
): Promise<Verdict | undefined> {
  for (const { key, isPart } of keys) {
    if (isPart && table.isPattern) continue
    const answer = await table.find(foldCase(key))
    if (answer.kind === 'absent') continue
    const isBroken = answer.kind === 'tryAgain'
    if (isBroken) log.warning(`${table.name} lookup error for "${key}"`)
    const value = isBroken ? '451 4.3.5 Server configuration error' : answer.value
    return carryOut(evaluation, value, table.name, subject, settings)
  }
  return undefined
}

/** What is looked up, and how refusals name it. Undefined: there is nothing to look up yet. */
interface Lookup {
  readonly keys: readonly AccessKey[]
  readonly subject: Subject
}

type FindLookup = (evaluation: Evaluation, settings: AccessCheckSettings) => Lookup | undefined

const clientLookup: FindLookup = ({ client }, { isDotted }) => ({
  keys: [
    ...(client.name === 'unknown'
      ? [{ key: 'unknown', isPart: false }]
      : domainKeys(client.name, isDotted)),
    ...addressKeys(client.address),
  ],
  subject: { name: client.label, className: 'Client host' },
})

const reverseClientLookup: FindLookup = ({ client }, { isDotted }) => ({
  keys: [
    ...(client.reverseName === 'unknown'
      ? [{ key: 'unknown', isPart: false }]
      : domainKeys(client.reverseName, isDotted)),
    ...addressKeys(client.address),
  ],
  subject: {
    name: client.reverseName,
    className: 'Unverified Client host',
  },
})

const heloLookup: FindLookup = ({ session: { helo } }, { isDotted }) =>
  helo === undefined
    ? undefined
    : { keys: domainKeys(helo, isDotted), subject: { name: helo, className: 'Helo command' } }

const senderLookup: FindLookup = ({ session }, { extensions, isDotted, nullKey }) => {
  const sender = session.transaction?.sender
  if (sender === undefined) return undefined
  const keys =
    sender === '' ? [{ key: nullKey, isPart: false }] : mailKeys(sender, extensions, isDotted)
  return { keys, subject: { name: sender, className: 'Sender address' } }
}

const recipientLookup: FindLookup = ({ recipient }, { extensions, isDotted }) =>
  recipient === undefined
    ? undefined
    : {
        keys: mailKeys(recipient, extensions, isDotted),
        subject: { name: recipient, className: 'Recipient address' },
      }

const etrnLookup: FindLookup = ({ subject }, { isDotted }) => ({
  keys: domainKeys(subject.name, isDotted),
  subject,
})

const LOOKUPS: Readonly<Record<string, FindLookup>> = {
  check_client_access: clientLookup,
  check_reverse_client_hostname_access: reverseClientLookup,
  check_helo_access: heloLookup,
  check_sender_access: senderLookup,
  check_recipient_access: recipientLookup,
  check_etrn_access: etrnLookup,
}

/** The check that a restriction name stands for; undefined for names that look nothing up. */
export function accessCheck(
  restriction: string,
  table: LookupTable,
  settings: AccessCheckSettings,
): Check | undefined {
  const lookup = LOOKUPS[restriction]
  if (lookup === undefined) return undefined
  return async (evaluation) => {
    const wanted = lookup(evaluation, settings)
    if (wanted === undefined) return dunno
    return (await search(evaluation, table, wanted.keys, wanted.subject, settings)) ?? dunno
  }
}

export function isAccessCheck(restriction: string): boolean {
  return restriction in LOOKUPS
}
