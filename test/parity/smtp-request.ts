/**
 * smtp-request - what the queue manager does for one delivery: the queue file, the request, the reply
 */
import { chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { EndOfStreamError, StreamTimeoutError } from '@posthorn/stream/byte-stream'
import { deliveryRequest } from '@posthorn/testing/delivery-request'
import { Channel } from '@posthorn/wire/channel'
import {
  deliveryProtocol,
  DELIVERY_FLAGS,
  encodeDeliveryRequest,
  noStats,
  receiveDeliveryReply,
  type DeliveryReply,
  type DeliveryRequest,
  type Recipient,
} from '@posthorn/wire/delivery-request'
import type { Instance } from '../../scripts/instance.ts'
import type { Scenario } from './smtp-scenario.ts'

/** Longer than any limit that a scenario sets, so that a delivery that takes as long is one without a limit. */
const DAEMON_LIMIT_MS = 20_000

export interface Delivered {
  readonly reply: DeliveryReply | 'none' | 'too late'
  /** Recipients that are done in the queue file. */
  readonly done: readonly string[]
  /** Files of the bounce, defer and trace services. */
  readonly records: string
}

export async function deliver(
  instance: Instance,
  uid: number,
  service: string,
  queueId: string,
  scenario: Scenario,
): Promise<Delivered> {
  const { request, recipients, path } = await writeMessage(instance, uid, queueId, scenario)
  const reply = await ask(instance, service, request, recipients)
  const file = await readFile(path, 'latin1')
  const done = recipients
    .filter(({ offset }) => file.charAt(offset) === RECORD.done)
    .map(({ recipient }) => recipient)
  let records = ''
  for (const log of ['bounce', 'defer/A', 'trace']) {
    const text = await readFile(join(instance.queueDirectory, log, queueId), 'latin1').catch(
      () => '',
    )
    if (text !== '') records += `${log}:\n${text}`
  }
  await rm(path)
  return { reply, done, records }
}

async function ask(
  instance: Instance,
  service: string,
  request: DeliveryRequest,
  recipients: readonly Recipient[],
): Promise<DeliveryReply | 'none' | 'too late'> {
  const path = join(instance.queueDirectory, 'private', service)
  const options = { protocol: deliveryProtocol, timeoutMs: DAEMON_LIMIT_MS }
  const channel = await Channel.connect(path, options)
  try {
    channel.send(encodeDeliveryRequest(request, recipients))
    return await receiveDeliveryReply(channel)
  } catch (error) {
    if (error instanceof EndOfStreamError) return 'none'
    if (error instanceof StreamTimeoutError) return 'too late'
    throw error
  } finally {
    channel.close()
  }
}

async function writeMessage(
  instance: Instance,
  uid: number,
  queueId: string,
  scenario: Scenario,
): Promise<{ request: DeliveryRequest; recipients: Recipient[]; path: string }> {
  // the real ones panic when a recipient is at offset 0
  let octets = encodeRecord(RECORD.time, '1000000000')
  const recipients = (scenario.recipients ?? ['to@example.test']).map((given) => {
    const fields = typeof given === 'string' ? { recipient: given } : given
    const offset = octets.length
    octets += encodeRecord(RECORD.recipient, fields.recipient ?? '')
    return {
      recipient: '',
      originalRecipient: '',
      dsnOriginalRecipient: '',
      notifyFlags: 0,
      ...fields,
      offset,
    }
  })
  octets += encodeRecord(RECORD.message)
  const dataOffset = octets.length
  const lines = scenario.lines ?? ['Subject: test', '', 'body']
  octets += lines.map((line) => encodeRecord(RECORD.line, line)).join('')
  const sizeBytes = octets.length - dataOffset
  octets += encodeRecord(RECORD.extracted) + encodeRecord(RECORD.end)
  const folder = join(instance.queueDirectory, 'active')
  await mkdir(folder, { recursive: true })
  const path = join(folder, queueId)
  await writeFile(path, octets, { encoding: 'latin1', mode: 0o700 })
  await chown(path, uid, 0)
  const now = Date.now()
  const { ageMs = 0 } = scenario
  const request = deliveryRequest({
    flags: DELIVERY_FLAGS.success,
    queueId,
    dataOffset,
    sizeBytes,
    nexthop: scenario.nexthop,
    encoding: '7bit',
    sender: scenario.sender ?? 'from@example.test',
    stats: { ...noStats, arrivalMs: now - ageMs, activeMs: now },
    ...scenario.request,
  })
  return { request, recipients, path }
}
