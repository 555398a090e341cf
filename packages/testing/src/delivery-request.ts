/**
 * delivery-request - a request for a delivery agent, of which a test says only what matters to it
 *
 * The rest is what the queue manager asks of a message about which nothing is known.
 */
import { DELIVERY_FLAGS, noStats, type DeliveryRequest } from '@posthorn/wire/delivery-request'

export function deliveryRequest(fields: Partial<DeliveryRequest> = {}): DeliveryRequest {
  return {
    flags: DELIVERY_FLAGS.success | DELIVERY_FLAGS.bounce,
    queueName: 'active',
    queueId: '0123456789A',
    dataOffset: 0,
    sizeBytes: 0,
    nexthop: '',
    encoding: '',
    smtpUtf8: 0,
    sender: '',
    envelopeId: '',
    returnFlags: 0,
    stats: noStats,
    clientName: '',
    clientAddress: '',
    clientPort: '',
    clientProtocol: '',
    clientHelo: '',
    saslMethod: '',
    saslUsername: '',
    saslSender: '',
    logIdent: '',
    rewriteContext: 'local',
    ...fields,
  }
}
