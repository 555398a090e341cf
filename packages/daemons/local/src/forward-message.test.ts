import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { RecordReader } from '@posthorn/queue/record-reader'
import { deliveryRequest } from '@posthorn/testing/delivery-request'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { SENDOPT_FLAGS, SMTPUTF8_FLAGS } from '@posthorn/wire/attr-groups'
import { announceCleanup, CLEANUP_FLAGS, CleanupOpening } from '@posthorn/wire/cleanup-protocol'
import { FakeService } from '@posthorn/wire/fake-service'
import { SubmissionReply } from '@posthorn/wire/submission-session'
import { forwardMessage } from './forward-message.ts'

t.test('forwardMessage() hands on what the message asks for', async (t) => {
  const asked: number[] = []
  using cleanup = FakeService.start(async (channel) => {
    announceCleanup(channel, 'NEWID')
    asked.push(CleanupOpening.parse(await channel.receiveReply()).flags)
    const reader = new RecordReader()
    for (let type: string | undefined; type !== RECORD.end;) {
      type = reader.next()?.type
      if (type !== undefined) continue
      if (channel.stream.buffered === '' && !(await channel.stream.fill())) return
      reader.push(channel.stream.take(channel.stream.buffered.length))
    }
    channel.send(SubmissionReply.encode({ status: 0, reason: '', stays: false }))
  })
  const path = join(temporaryDirectory(t), 'message')
  writeFileSync(path, encodeRecord(RECORD.line, 'x') + encodeRecord(RECORD.extracted), 'latin1')
  const fd = openSync(path, 'r')
  t.teardown(() => {
    closeSync(fd)
  })
  const settings = {
    cleanupPath: cleanup.path,
    cleanupFlags: CLEANUP_FLAGS.map,
    timeoutMs: 5000,
    hostname: 'mx.example.test',
    mailName: 'Posthorn',
    addsDeliveredTo: true,
  }
  for (const smtpUtf8 of [
    0,
    SMTPUTF8_FLAGS.requested,
    SENDOPT_FLAGS.requireTls,
    SENDOPT_FLAGS.tlsOptional,
  ]) {
    const job = { request: deliveryRequest({ smtpUtf8 }), file: { fd } }
    t.equal(await forwardMessage(settings, job, 'me@x.test', [], 'bob@host.test'), 'NEWID')
  }
  const { map, smtpUtf8, requireTls } = CLEANUP_FLAGS
  // cleanup(8) sees a header TLS-Required: No for itself
  t.same(asked, [map, map | smtpUtf8, map | requireTls, map])
})
