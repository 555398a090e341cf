import t from 'tap'
import { parseRecord } from './record.ts'
import {
  encodePreliminarySize,
  encodeSizeRecord,
  isPreliminarySize,
  parseSendOptions,
  parseSizeRecord,
} from './size-record.ts'

function payloadOf(octets: string): string {
  return parseRecord(octets)?.payload ?? ''
}

const size = { dataSize: 5, dataOffset: 200, recipientCount: 1, flags: 0, contentLength: 5 }

t.test('encodePreliminarySize() says what is asked for, and nothing of a size', (t) => {
  const preliminary = payloadOf(encodePreliminarySize(32))
  t.ok(isPreliminarySize(preliminary))
  t.equal(parseSendOptions(preliminary), 32)
  t.equal(parseSizeRecord(preliminary), undefined)
  const real = payloadOf(encodeSizeRecord({ ...size, smtputf8: 49 }))
  t.notOk(isPreliminarySize(real))
  t.equal(parseSendOptions(real), 49)
  t.same(parseSizeRecord(real), { ...size, smtputf8: 49 })
  t.throws(() => parseSizeRecord('-1 -1 -1 -1 0 32'), { code: 'POSTHORN_QUEUE_CORRUPT' })
  t.equal(parseSendOptions('5 200 1'), 0, 'of an old release')
  t.end()
})
