/**
 * virtual-agent - delivers to mailboxes that tables name
 *
 *     address ──virtual_mailbox_maps──▶ base/mailbox   ──virtual_uid_maps, virtual_gid_maps──▶ written as that owner
 *              └─ not there: 5.1.1                       └─ not there, or not allowed: 4.3.5
 *
 * Addresses are looked up in lower case: with extension, without, and then the domain alone.
 * Source: Postfix 3.7 virtual(8).
 */
import { foldCaseUtf8 } from '@posthorn/address/split-address'
import type { DeliveryAgent } from '@posthorn/delivery/delivery-agent'
import type { DeliveryJob } from '@posthorn/delivery/delivery-job'
import { mailboxHead } from '@posthorn/delivery/mailbox/mailbox-head'
import type { MailboxDelivery } from '@posthorn/delivery/mailbox/mailbox-delivery'
import { isMaildir } from '@posthorn/delivery/mailbox/mailbox-job'
import { log } from '@posthorn/log/log'
import type { Recipient } from '@posthorn/wire/delivery-request'
import type { VirtualSettings } from './virtual-settings.ts'

const misconfigured = { dsn: '4.3.5', reason: 'mail system configuration error' }

export type AddressLookup =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'tryAgain'; readonly reason: string }

/** Lookup by full address, then without extension, then by @domain. */
export type AddressMap = (address: string) => Promise<AddressLookup>

export interface VirtualServices {
  readonly mailboxes: Pick<MailboxDelivery, 'deliver'>
  readonly mailboxMap: AddressMap
  readonly uidMap: AddressMap
  readonly gidMap: AddressMap
}

export function virtualAgent(settings: VirtualSettings, services: VirtualServices): DeliveryAgent {
  return {
    async deliver(job) {
      for (const recipient of job.recipients) {
        await deliverTo(settings, services, job, recipient)
      }
      return undefined
    },
  }
}

async function deliverTo(
  settings: VirtualSettings,
  services: VirtualServices,
  job: DeliveryJob,
  recipient: Recipient,
): Promise<void> {
  const { relay } = settings
  const address = foldCaseUtf8(recipient.recipient)
  const mailbox = await services.mailboxMap(address)
  if (mailbox.kind === 'absent') {
    await job.bounced(recipient, { dsn: '5.1.1', reason: `unknown user: "${address}"`, relay })
    return
  }
  if (mailbox.kind === 'tryAgain') {
    log.warning(`table virtual_mailbox_maps: lookup ${address}: ${mailbox.reason}`)
    await job.deferred(recipient, { ...misconfigured, relay })
    return
  }
  const uid = await findId(services.uidMap, 'uid', address, settings.minimumUid)
  if (uid === undefined) return job.deferred(recipient, { ...misconfigured, relay })
  const gid = await findId(services.gidMap, 'gid', address, 1)
  if (gid === undefined) return job.deferred(recipient, { ...misconfigured, relay })

  const { mailboxBase } = settings
  const path = mailboxBase === '' ? mailbox.value : `${mailboxBase}/${mailbox.value}`
  const kind = isMaildir(path) ? 'maildir' : 'mailbox'
  if (job.isProbe) {
    await job.sent(recipient, { dsn: '2.0.0', reason: `delivers to ${kind}`, relay })
    return
  }
  const head = {
    sender: job.request.sender,
    originalRecipient: settings.addsOriginalRecipient ? recipient.originalRecipient : '',
    deliveredTo: recipient.recipient,
  }
  const result = await services.mailboxes.deliver(
    { uid, gid, name: '' },
    {
      path,
      uid,
      gid,
      checksOwner: settings.checksOwner ? 1 : 0,
      isNamedFile: 0,
      sizeLimitBytes: settings.sizeLimitBytes,
      mailboxFault: '4.2.0',
      head: mailboxHead(head, kind === 'mailbox', Date.now()),
      ...settings.locking,
    },
    job,
  )
  if (result.kind === 'delivered') {
    await job.sent(recipient, { dsn: '2.0.0', reason: `delivered to ${kind}`, relay })
    return
  }
  for (const warning of result.warnings) log.warning(warning)
  const what =
    kind === 'maildir' ? 'maildir delivery failed: ' : `delivery failed to mailbox ${path}: `
  await job.failed(recipient, { dsn: result.dsn, reason: what + result.reason, relay })
}

/** The owner's number; undefined, and a line in the log, when there is none that may be used. */
async function findId(
  map: AddressMap,
  kind: 'uid' | 'gid',
  address: string,
  minimum: number,
): Promise<number | undefined> {
  const table = `virtual_${kind}_maps`
  const found = await map(address)
  if (found.kind === 'absent') log.warning(`recipient ${address}: not found in ${table}`)
  else if (found.kind === 'tryAgain') {
    log.warning(`table ${table}: lookup ${address}: ${found.reason}`)
  } else {
    const id = /^\d{1,10}$/.test(found.value) ? Number(found.value) : -1
    if (id >= minimum && id < 0xffff_ffff) return id
    log.warning(`recipient ${address}: bad ${kind} ${found.value} in ${table}`)
  }
  return undefined
}
