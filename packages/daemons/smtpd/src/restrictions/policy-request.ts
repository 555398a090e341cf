/**
 * policy-request - what an access policy server is told about a session
 *
 * All attributes are always there, in this order; those about SASL and TLS are empty, as there is neither.
 * Source: Postfix 3.7 SMTPD_POLICY_README.
 */
import type { AttrList } from '@posthorn/wire/attr-list'
import type { Evaluation } from './evaluation.ts'

const WITH_COUNT = new Set(['DATA', 'END-OF-MESSAGE'])

export function policyRequest(evaluation: Evaluation, context: string, stress: string): AttrList {
  const { session, client } = evaluation
  const { transaction } = session
  const state = session.where === 'BDAT' ? 'DATA' : session.where
  const count = WITH_COUNT.has(state) ? (transaction?.recipientCount ?? 0) : 0
  const only = WITH_COUNT.has(state) ? transaction?.onlyRecipient : undefined
  const octets = transaction?.content?.octets ?? 0
  const size = octets > 0 ? octets : (transaction?.parameters.sizeOctets ?? 0)
  return [
    ['request', 'smtpd_access_policy'],
    ['protocol_state', state],
    ['protocol_name', session.protocol],
    ['client_address', client.address],
    ['client_name', client.name],
    ['client_port', client.port],
    ['reverse_client_name', client.reverseName],
    ['server_address', client.serverAddress],
    ['server_port', client.serverPort],
    ['helo_name', session.helo ?? ''],
    ['sender', transaction?.sender ?? ''],
    ['recipient', session.recipient ?? only ?? ''],
    ['recipient_count', String(count)],
    ['queue_id', transaction?.queueId ?? ''],
    ['instance', session.instance],
    ['size', String(size)],
    ['etrn_domain', session.etrnDomain],
    ['stress', stress],
    ['sasl_method', ''],
    ['sasl_username', ''],
    ['sasl_sender', ''],
    ['ccert_subject', ''],
    ['ccert_issuer', ''],
    ['ccert_fingerprint', ''],
    ['ccert_pubkey_fingerprint', ''],
    ['encryption_protocol', ''],
    ['encryption_cipher', ''],
    ['encryption_keysize', '0'],
    ['policy_context', context],
  ]
}
