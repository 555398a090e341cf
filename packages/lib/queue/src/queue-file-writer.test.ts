import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  utimesSync,
} from 'node:fs'
import t from 'tap'
import { OpenQueueFile } from './open-queue-file.ts'
import { QueueFileWriter } from './queue-file-writer.ts'
import { parseQueueId, splitQueueId } from './queue-id.ts'
import { QueueLayout } from './queue-layout.ts'
import { MODE_READY } from './queue-mode.ts'
import { moveQueueFile, setRetryTime } from './queue-move.ts'
import { scanDirectory, scanQueue } from './queue-scan.ts'
import { RecordFile } from './record-file.ts'
import { encodeRecord } from './record.ts'

process.chdir(t.testdir({ incoming: {}, maildrop: {}, active: {} }))
const layout = new QueueLayout()

t.test('a message file is complete only when finish() has resolved', async (t) => {
  const writer = QueueFileWriter.create(layout, 'incoming')
  t.match(writer.path, /^incoming\/\d+\.\d+$/, 'no name that anybody takes for a message')
  t.equal(splitQueueId(writer.id).inode, statSync(writer.path).ino)
  t.equal(splitQueueId(writer.id).microseconds, writer.created.microseconds)
  writer.append(encodeRecord('C', '0'.repeat(95)))
  writer.append(encodeRecord('N', '\xff\x00'))
  t.equal(writer.position, 101)
  writer.overwrite(2, '1'.repeat(95))
  t.equal(statSync(writer.path).mode & 0o777, 0o600)
  await writer.finish(MODE_READY)
  t.equal(statSync(writer.path).mode & 0o777, 0o700)
  t.equal(readFileSync(writer.path, 'latin1'), `C_${'1'.repeat(95)}N\x02\xff\x00`)
  t.throws(() => {
    writer.overwrite(100, 'xx')
  }, RangeError)
})

t.test('large content goes to the file while it arrives', async (t) => {
  const writer = QueueFileWriter.create(layout, 'incoming')
  const line = encodeRecord('N', 'x'.repeat(1000))
  let expected = ''
  for (let count = 0; count < 600; count += 1) {
    writer.append(line)
    expected += line
    await writer.drain()
  }
  t.ok(statSync(writer.path).size > 256 * 1024)
  writer.overwrite(0, 'M')
  writer.overwrite(expected.length - 1, 'y')
  await writer.flush()
  t.equal(new RecordFile(writer.fd).read()?.type, 'M')
  writer.append('E\0')
  await writer.finish(MODE_READY)
  const found = readFileSync(writer.path, 'latin1')
  t.ok(found === `M${expected.slice(1, -1)}yE\0`)
})

t.test('a hashed incoming queue, long ids, hold and remove', async (t) => {
  const hashed = new QueueLayout({
    hashedQueues: ['incoming', 'hold'],
    hashDepth: 2,
    longIds: true,
  })
  const writer = QueueFileWriter.create(hashed, 'incoming')
  t.ok(splitQueueId(writer.id).isLong)
  writer.moveTo('hold')
  await writer.finish(MODE_READY)
  t.match(writer.path, /^hold\/.\/.\//)
  t.ok(existsSync(writer.path))
  writer.remove()
  t.notOk(existsSync(writer.path))
  const unwanted = QueueFileWriter.create(hashed, 'incoming')
  unwanted.append('x')
  unwanted.enter()
  t.match(unwanted.path, /^incoming\/.\/.\//, 'has its name before it is complete')
  t.equal(statSync(unwanted.path).mode & 0o777, 0o600)
  unwanted.remove()
  t.notOk(existsSync(unwanted.path))
  mkdirSync('empty')
  t.throws(
    () => {
      process.chdir('empty')
      QueueFileWriter.create(layout, 'incoming')
    },
    { code: 'ENOENT' },
  )
  t.same(readdirSync('.'), [], 'nothing is left behind')
  process.chdir('..')
})

t.test('a file that cannot get its name, or cannot be stored, is no message', async (t) => {
  const before = readdirSync('incoming')
  const writer = QueueFileWriter.create(layout, 'incoming')
  mkdirSync(`incoming/${writer.id}`)
  await t.rejects(writer.finish(MODE_READY), { message: /^rename: / })
  rmdirSync(`incoming/${writer.id}`)
  t.same(readdirSync('incoming'), before)

  const closed = QueueFileWriter.create(layout, 'incoming')
  closeSync(closed.fd)
  closed.append('x')
  await t.rejects(closed.finish(MODE_READY), { message: /^pwritev: / })
  t.same(readdirSync('incoming'), before)
})

t.test('OpenQueueFile locks, and queues are scanned', async (t) => {
  const writer = QueueFileWriter.create(layout, 'incoming')
  writer.append(encodeRecord('R', 'x'))
  await writer.finish(MODE_READY)
  const { id } = writer
  moveQueueFile(layout, 'incoming', 'deferred', id)
  moveQueueFile(layout, 'incoming', 'deferred', id)
  t.throws(
    () => {
      moveQueueFile(layout, 'incoming', 'deferred', parseQueueId('nosuch'))
    },
    { code: 'ENOENT' },
  )
  const path = layout.path('deferred', id)
  setRetryTime(path, 1795216000)
  t.equal(statSync(path).mtimeMs, 1795216000000)
  const first = OpenQueueFile.open(layout, 'deferred', id, 'shared')
  const second = OpenQueueFile.open(layout, 'deferred', id, 'shared')
  t.throws(() => OpenQueueFile.open(layout, 'deferred', id, 'exclusive'), {
    code: 'POSTHORN_QUEUE_LOCKED',
  })
  second?.close()
  first?.markDone(0)
  first?.markCorrupt()
  first?.close()
  first?.close()
  t.equal(statSync(path).mode & 0o777, 0o400)
  t.equal(readFileSync(path, 'latin1'), encodeRecord('D', 'x'))
  t.equal(OpenQueueFile.open(layout, 'active', id, 'none'), undefined)
  utimesSync(path, 1, 1)
  const found = []
  for await (const file of scanQueue('deferred')) found.push(file)
  t.same(found, [{ id, path }])
  const temporary = QueueFileWriter.create(layout, 'maildrop')
  temporary.enter()
  mkdirSync('maildrop/x')
  const entries = []
  for await (const entry of scanDirectory('maildrop')) entries.push(entry.name)
  t.same(entries.sort(), [temporary.id, 'x'].sort(), 'maildrop is flat')
  temporary.remove()
  for await (const file of scanQueue('corrupt')) t.fail(file.path)
})
