/**
 * protocol-examples.test - what each protocol looks like on the wire, octet by octet
 *
 * The lists are those of the specification, most of them recorded from Postfix 3.7.11.
 */
import fc from 'fast-check'
import t from 'tap'
import {
  AnvilConnectReply,
  AnvilLookupReply,
  AnvilRateReply,
  parseAnvilRequest,
} from './anvil-protocol.ts'
import { emptyDsn, recipientGroup, type Recipient } from './attr-groups.ts'
import { attr0, decodeAttrList, type AttrList } from './attr-list.ts'
import {
  BounceReply,
  encodeBounceRequest,
  parseBounceRequest,
  type BounceRequest,
} from './bounce-protocol.ts'
import { CleanupOpening, externalMailFlags, SubmissionReply } from './cleanup-protocol.ts'
import {
  DeliveryReplyList,
  encodeDeliveryRequest,
  type DeliveryRequest,
} from './delivery-request.ts'
import { encodeFlushRequest, parseFlushRequest, type FlushRequest } from './flush-protocol.ts'
import { encodeMessageStats, noStats, parseMessageStats } from './message-stats.ts'
import { encodePlainList } from './plain-list.ts'
import {
  encodeProxymapFailure,
  instanceFlags,
  parseProxymapRequest,
  TableLookup,
  TableOpen,
  TableSequence,
} from './proxymap-protocol.ts'
import {
  parseRewriteRequest,
  ResolveReplyList,
  ResolveRequest,
  RewriteReply,
  RewriteRequest,
} from './rewrite-protocol.ts'
import {
  dummy,
  FindDestination,
  FoundDestinationReply,
  parseScacheRequest,
  SaveDestination,
  SaveEndpoint,
} from './scache-protocol.ts'
import {
  encodeQueueEntryHead,
  encodeQueueEntryRecipient,
  endOfQueueEntry,
  parseQueueEntry,
} from './showq-protocol.ts'
import { decodeStatusMessages, encodeStatusMessage } from './status-message.ts'
import {
  parseVerifyRequest,
  VerifyQuery,
  VerifyQueryReply,
  VerifyUpdate,
} from './verify-protocol.ts'
import { AttrError } from './wire-error.ts'

function decode(octets: string): AttrList {
  const list = decodeAttrList(octets)
  if (list?.end !== octets.length) throw new Error(`not one list: ${JSON.stringify(octets)}`)
  return list.attrs
}

const recipient: Recipient = {
  originalRecipient: 'to@remote.example',
  recipient: 'to@remote.example',
  offset: 335,
  dsnOriginalRecipient: 'rfc822;to@remote.example',
  notifyFlags: 6,
}
const recipientOctets =
  'original_recipient\0to@remote.example\0recipient\0to@remote.example\0' +
  'offset\x00335\0dsn_orig_rcpt\0rfc822;to@remote.example\0notify_flags\x006\0'
const dsnOctets =
  'status\0\0diag_type\0\0diag_text\0\0mta_type\0\0mta_mname\0\0action\0\0reason\0\0'

t.test('cleanup', (t) => {
  t.equal(externalMailFlags + 128, 242)
  t.equal(CleanupOpening.encode({ flags: 242 }), 'flags\x00242\0\0')
  t.equal(
    SubmissionReply.encode({ status: 0, reason: '', stays: false }),
    'status\x000\0reason\0\0\0',
  )
  t.end()
})

t.test('rewrite', (t) => {
  const request = RewriteRequest.encode({ rule: 'local', address: 'foo@bar' })
  t.equal(request, 'request\0rewrite\0rule\0local\0address\0foo@bar\0\0')
  t.same(parseRewriteRequest(decode(request)), {
    request: 'rewrite',
    rule: 'local',
    address: 'foo@bar',
  })
  t.equal(RewriteReply.encode({ serverFlags: 0, address: 'a' }), 'flags\x000\0address\0a\0\0')
  const resolve = ResolveRequest.encode({ sender: '', address: 'a@b' })
  t.equal(resolve, 'request\0resolve\0sender\0\0address\0a@b\0\0')
  t.equal(parseRewriteRequest(decode(resolve)).request, 'resolve')
  const reply = { serverFlags: 0, transport: 'smtp', nexthop: 'b', recipient: 'a@b', flags: 4096 }
  const wire = 'flags\x000\0transport\0smtp\0nexthop\0b\0recipient\0a@b\0flags\x004096\0\0'
  t.equal(ResolveReplyList.encode(reply), wire)
  t.same(ResolveReplyList.parse(decode(wire)), reply)
  const bad = [
    'request\0rewrite\0rule\0canonical\0address\0a\0\0',
    'request\0rewrite\0rule\0local\0\0',
    'request\0resolve\0address\0a\0sender\0b\0\0',
    'request\0nonsense\0\0',
    'rule\0local\0\0',
    '\0',
  ]
  for (const wire of bad) t.throws(() => parseRewriteRequest(decode(wire)), AttrError, wire)
  t.end()
})

const report = {
  flags: 3,
  queueName: 'active',
  queueId: '0F8E21C1C8',
  encoding: '7bit',
  smtpUtf8: 0,
  sender: 'from@example.test',
  envelopeId: 'EID',
  returnFlags: 2,
}
const reportOctets =
  'flags\x003\0queue_name\0active\0queue_id\x000F8E21C1C8\0encoding\x007bit\0smtputf8\x000\0' +
  'sender\0from@example.test\0envelope_id\0EID\0ret_flags\x002\0'

t.test('bounce', (t) => {
  const dsn = { ...emptyDsn, status: '5.1.1', action: 'failed', reason: 'unknown' }
  const fullDsn = dsnOctets
    .replace('status\0\0', 'status\x005.1.1\0')
    .replace('action\0\0', 'action\0failed\0')
    .replace('reason\0\0', 'reason\0unknown\0')
  const cases: [BounceRequest, string][] = [
    [
      { request: 0, flags: 0, queueId: '0F8E21C1C8', recipient, dsn },
      `nrequest\x000\0flags\x000\0queue_id\x000F8E21C1C8\0${recipientOctets}${fullDsn}\0`,
    ],
    [{ request: 1, ...report }, `nrequest\x001\0${reportOctets}\0`],
    [{ request: 2, ...report }, `nrequest\x002\0${reportOctets}\0`],
    [
      { request: 3, ...report, delimiters: '+=' },
      `nrequest\x003\0${reportOctets}verp_delimiters\0+=\0\0`,
    ],
    [
      { request: 4, ...report, recipient, dsn },
      `nrequest\x004\0${reportOctets}${recipientOctets}${fullDsn}\0`,
    ],
    [{ request: 5, ...report }, `nrequest\x005\0${reportOctets}\0`],
  ]
  for (const [request, wire] of cases) {
    t.equal(encodeBounceRequest(request), wire)
    t.same(parseBounceRequest(decode(wire)), request)
    t.same(parseBounceRequest([...decode(wire), ['extra', 'x']]), request, 'extra is tolerated')
    t.throws(() => parseBounceRequest(decode(wire).slice(0, -1)), AttrError, 'missing is not')
  }
  t.throws(() => parseBounceRequest(decode('nrequest\x006\0\0')), AttrError)
  t.throws(
    () => parseBounceRequest(decode(`nrequest\x003\0${reportOctets}verp_delimiters\0+\0\0`)),
    AttrError,
  )
  t.equal(BounceReply.encode({ status: -1 }), 'status\x004294967295\0\0')
  t.end()
})

t.test('flush', (t) => {
  const cases: [FlushRequest, string][] = [
    [
      { request: 'add', site: 'a.test', queueId: '0F8E21C1C8' },
      'request\0add\0site\0a.test\0queue_id\x000F8E21C1C8\0\0',
    ],
    [{ request: 'send_site', site: 'a.test' }, 'request\0send_site\0site\0a.test\0\0'],
    [{ request: 'send_file', queueId: 'X' }, 'request\0send_file\0queue_id\0X\0\0'],
    [{ request: 'rfrsh' }, 'request\0rfrsh\0\0'],
    [{ request: 'purge' }, 'request\0purge\0\0'],
  ]
  for (const [request, wire] of cases) {
    t.equal(encodeFlushRequest(request), wire)
    t.same(parseFlushRequest(decode(wire)), request)
  }
  t.equal(parseFlushRequest([['request', 'nonsense']]), undefined)
  t.throws(() => parseFlushRequest([]), AttrError)
  t.throws(() => parseFlushRequest([['request', 'add']]), AttrError)
  t.end()
})

t.test('verify', (t) => {
  t.equal(VerifyQuery.encode({ address: 'a@b' }), 'request\0query\0address\0a@b\0\0')
  t.equal(
    VerifyUpdate.encode({ address: 'a@b', recipientStatus: 2, reason: 'no' }),
    'request\0update\0address\0a@b\0recipient_status\x002\0reason\0no\0\0',
  )
  t.equal(
    VerifyQueryReply.encode({ status: -2, recipientStatus: 3, reason: 'r' }),
    'status\x004294967294\0recipient_status\x003\0reason\0r\0\0',
  )
  t.equal(parseVerifyRequest([['request', 'nonsense']]), undefined)
  t.throws(() => parseVerifyRequest([['request', 'query']]), AttrError)
  t.end()
})

t.test('anvil', (t) => {
  t.same(
    parseAnvilRequest([
      ['request', 'connect'],
      ['ident', 'smtp:192.0.2.1'],
    ]),
    { request: 'connect', ident: 'smtp:192.0.2.1' },
  )
  t.throws(() => parseAnvilRequest([['ident', 'x']]), AttrError)
  t.throws(() => parseAnvilRequest([['request', 'connect']]), AttrError)
  const status = 0
  t.equal(
    encodePlainList(AnvilConnectReply.format({ status, count: 1, rate: 2 })),
    'status=0\ncount=1\nrate=2\n\n',
  )
  t.equal(
    encodePlainList(AnvilRateReply.format({ status: -1, rate: 2 })),
    'status=4294967295\nrate=2\n\n',
  )
  const all = { messageRate: 3, recipientRate: 4, newTlsRate: 5, authRate: 6 }
  t.equal(
    encodePlainList(AnvilLookupReply.format({ status, count: 1, rate: 2, ...all })),
    'status=0\ncount=1\nrate=2\nmail=3\nrcpt=4\nnewtls=5\nauth=6\n\n',
  )
  t.end()
})

t.test('proxymap', (t) => {
  const table = 'inline:{a=b}'
  t.equal(TableOpen.encode({ table, flags: 0 }), `request\0open\0table\0${table}\0flags\x000\0\0`)
  t.equal(
    TableLookup.encode({ table, flags: 64, key: 'a' }),
    `request\0lookup\0table\0${table}\0flags\x0064\0key\0a\0\0`,
  )
  const sequence = TableSequence.encode({ table, flags: 0, function: 1 })
  t.equal(sequence, `request\0sequence\0table\0${table}\0flags\x000\0function\x001\0\0`)
  t.same(parseProxymapRequest(decode(sequence)), {
    request: 'sequence',
    table,
    flags: 0,
    function: 1,
  })
  t.equal(parseProxymapRequest([]), undefined)
  t.equal(encodeProxymapFailure('open', 3), 'status\x003\0flags\x000\0\0')
  t.equal(encodeProxymapFailure('lookup', 3), 'status\x003\0value\0\0\0')
  t.equal(encodeProxymapFailure('sequence', 3), 'status\x003\0key\0\0value\0\0\0')
  t.equal(encodeProxymapFailure(undefined, 3), 'status\x003\0\0')
  t.equal(instanceFlags & 0x3fffff, 0x33060c | 0)
  t.end()
})

t.test('scache', (t) => {
  t.equal(dummy, 'dummy\0\0\0')
  const save = 'request\0save_endp\0ttl\x0030\0label\0LAB\0property\0P1\0\0'
  t.equal(SaveEndpoint.encode({ ttlSeconds: 30, endpoint: 'LAB', properties: 'P1' }), save)
  t.same(parseScacheRequest(decode(save)), {
    request: 'save_endp',
    ttlSeconds: 30,
    endpoint: 'LAB',
    properties: 'P1',
  })
  t.equal(FindDestination.encode({ destination: 'DST' }), 'request\0find_dest\0label\0DST\0\0')
  t.equal(
    FoundDestinationReply.encode({
      status: 0,
      destinationProperties: 'DP',
      endpointProperties: 'P1',
    }),
    'status\x000\0property\0DP\0property\0P1\0\0',
  )
  const bind = SaveDestination.encode({
    ttlSeconds: 2,
    destination: 'D',
    properties: 'P',
    endpoint: 'E',
  })
  t.equal(bind, 'request\0save_dest\0ttl\x002\0label\0D\0property\0P\0label\0E\0\0')
  t.match(parseScacheRequest(decode(bind)), { destination: 'D', endpoint: 'E' })
  t.throws(() => parseScacheRequest(decode(save.replace('30', '0'))), AttrError)
  t.throws(() => parseScacheRequest(decode(save.replace('30', '-1'))), AttrError)
  t.throws(() => parseScacheRequest([['request', 'find_endp']]), AttrError)
  t.equal(parseScacheRequest([['request', 'nonsense']]), undefined)
  t.end()
})

const stats = { ...noStats, arrivalMs: 1795216061123.456, activeMs: 1795216062000, reuseCount: -1 }

t.test('MSG_STATS', (t) => {
  const wire = encodeMessageStats(stats)
  t.equal(wire.length, 120)
  const octets = Buffer.from(wire, 'base64')
  t.equal(octets.length, 88)
  t.equal(octets.readBigInt64LE(0), 1795216061n)
  t.equal(octets.readBigInt64LE(8), 123456n)
  t.equal(octets.readBigInt64LE(16), 1795216062n)
  t.equal(octets.readInt32LE(80), -1)
  t.equal(octets.readInt32LE(84), 0)
  t.match(parseMessageStats(wire, 'time'), stats)
  t.equal(encodeMessageStats(noStats), Buffer.alloc(88).toString('base64'))
  t.throws(() => parseMessageStats(Buffer.alloc(84).toString('base64'), 'time'), AttrError)
  t.throws(() => parseMessageStats('', 'time'), AttrError)
  const us = fc.integer({ min: 0, max: 4_000_000_000_000_000 })
  fc.assert(
    fc.property(us, us, (first, second) => {
      const sent = { ...noStats, agentMs: first / 1000, deliveredMs: second / 1000 }
      const wire = encodeMessageStats(sent)
      t.equal(encodeMessageStats(parseMessageStats(wire, 'time')), wire)
      t.equal(Math.round(parseMessageStats(wire, 'time').agentMs * 1000), first)
    }),
    { numRuns: 500 },
  )
  t.end()
})

t.test('delivery request and reply', (t) => {
  const request: DeliveryRequest = {
    flags: 3,
    queueName: 'active',
    queueId: '0F8E21C1C8',
    dataOffset: 453,
    sizeBytes: 177,
    nexthop: 'remote.example',
    encoding: '',
    smtpUtf8: 0,
    sender: 'from@example.test',
    envelopeId: 'EID',
    returnFlags: 1,
    stats,
    clientName: 'cn',
    clientAddress: '1.2.3.4',
    clientPort: '',
    clientProtocol: '',
    clientHelo: '',
    saslMethod: '',
    saslUsername: '',
    saslSender: '',
    logIdent: '',
    rewriteContext: 'local',
  }
  const wire =
    'flags\x003\0queue_name\0active\0queue_id\x000F8E21C1C8\0offset\x00453\0size\x00177\0' +
    'nexthop\0remote.example\0encoding\0\0smtputf8\x000\0sender\0from@example.test\0' +
    `envelope_id\0EID\0ret_flags\x001\0time\0${encodeMessageStats(stats)}\0log_client_name\0cn\0` +
    'log_client_address\x001.2.3.4\0log_client_port\0\0log_protocol_name\0\0' +
    'log_helo_name\0\0sasl_method\0\0sasl_username\0\0sasl_sender\0\0log_ident\0\0' +
    `rewrite_context\0local\0recipient_count\x002\0\0${recipientOctets}\0` +
    `${recipientOctets.replace('335', '18446744073709551615')}\0`
  t.equal(encodeDeliveryRequest(request, [recipient, { ...recipient, offset: -1 }]), wire)
  const reply = { hopStatus: emptyDsn, status: 0, stays: false }
  t.equal(DeliveryReplyList.encode(reply), `${dsnOctets}status\x000\0\0`)
  t.same(DeliveryReplyList.parse(decode(`${dsnOctets}status\x000\0\0`)), reply)
  t.end()
})

t.test('RECIPIENT survives the wire', (t) => {
  const string = fc.string().map((text) => text.replaceAll('\0', ''))
  const value = fc.record({
    originalRecipient: string,
    recipient: string,
    offset: fc.maxSafeInteger(),
    dsnOriginalRecipient: string,
    notifyFlags: fc.integer({ min: 0, max: 15 }),
  })
  fc.assert(
    fc.property(value, (value) => {
      const octets = `${recipientGroup.encode(value)}\0`
      t.equal(octets, attr0.encode(decode(octets)))
    }),
  )
  t.end()
})

t.test('showq', (t) => {
  const wire =
    'queue_name\0active\0queue_id\x003AA2721C23C\0time\x001795216061\0size\x00177\0' +
    'forced_expire\x000\0sender\0from@example.test\0recipient\0to@remote.example\0reason\0try later\0\0'
  const head = {
    queueName: 'active',
    queueId: '3AA2721C23C',
    timeSeconds: 1795216061,
    sizeBytes: 177,
    forcedExpire: 0,
    sender: 'from@example.test',
  }
  const first = { recipient: 'to@remote.example', reason: 'try later' }
  t.equal(encodeQueueEntryHead(head) + encodeQueueEntryRecipient(first) + endOfQueueEntry, wire)
  t.same(parseQueueEntry(decode(wire)), { ...head, recipients: [first] })
  t.throws(() => parseQueueEntry([...decode(wire), ['recipient', 'x']]), AttrError)
  t.throws(() => parseQueueEntry([...decode(wire), ['extra', 'x']]), AttrError)
  t.end()
})

t.test('status messages', (t) => {
  const octets = encodeStatusMessage({ pid: 0x01020304, generation: 0x80000001, state: 1 })
  t.equal(octets, '\x04\x03\x02\x01\x01\0\0\x80\x01\0\0\0')
  t.same(decodeStatusMessages(`${octets}${octets}abc`), {
    messages: Array(2).fill({ pid: 0x01020304, generation: 0x80000001, state: 1 }),
    rest: 'abc',
  })
  t.end()
})
