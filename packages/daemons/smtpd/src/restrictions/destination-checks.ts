/**
 * destination-checks - relay control: is the recipient ours to deliver, or the client ours to serve
 *
 * The restrictions that keep this server from being an open relay. In doubt (a table that fails) the client is
 * told to come again. Source: Postfix 3.7 postconf(5) smtpd_relay_restrictions.
 */
import type { AddressList } from '@posthorn/tables/match-list'
import type { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import { isOurs, resolveAddress } from './address-resolver.ts'
import { lookupFailure, type Evaluation } from './evaluation.ts'
import { replyText } from './reply-text.ts'
import { dunno, permit, refuse, type Check, type Verdict } from './restriction.ts'

export interface DestinationSettings {
  readonly rewriter: RewriteClient
  readonly myNetworks: AddressList
  /** relay_domains_reject_code */
  readonly relayRejectCode: number
}

/** permit: the destination is ours. */
async function permitAuthDestination(
  { rewriter }: DestinationSettings,
  evaluation: Evaluation,
): Promise<Verdict> {
  const { session, recipient } = evaluation
  if (recipient === undefined) return dunno
  const resolution = await resolveAddress(rewriter, session.transaction?.sender ?? '', recipient)
  if (resolution.kind === 'unknown') return refuse(lookupFailure(recipient))
  if (!isOurs(resolution)) return dunno
  return permit('permit_auth_destination', { name: recipient, className: 'Recipient address' })
}

async function unlessOurs(
  settings: DestinationSettings,
  evaluation: Evaluation,
  code: number,
): Promise<Verdict> {
  const { recipient } = evaluation
  if (recipient === undefined) return dunno
  const verdict = await permitAuthDestination(settings, evaluation)
  if (verdict.kind === 'permit') return dunno
  if (verdict.kind === 'refuse') return verdict
  return refuse(replyText(code, '5.7.1', `<${recipient}>: Relay access denied`))
}

export function destinationChecks(settings: DestinationSettings): [string, Check][] {
  return [
    [
      'permit_mynetworks',
      async ({ client, clientSubject }) =>
        (await settings.myNetworks.matches(client.address, client.name))
          ? permit('permit_mynetworks', clientSubject)
          : dunno,
    ],
    // nobody is authenticated: there is no SASL here
    ['permit_sasl_authenticated', () => dunno],
    ['permit_tls_clientcerts', () => dunno],
    ['permit_tls_all_clientcerts', () => dunno],
    ['permit_auth_destination', async (evaluation) => permitAuthDestination(settings, evaluation)],
    [
      'reject_unauth_destination',
      async (evaluation) => unlessOurs(settings, evaluation, settings.relayRejectCode),
    ],
    ['defer_unauth_destination', async (evaluation) => unlessOurs(settings, evaluation, 454)],
  ]
}
