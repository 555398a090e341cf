import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { pipePair, socketPair } from './socket.ts'
import type { Descriptor } from './descriptor.ts'

const folder = mkdtempSync(join(tmpdir(), 'posthorn-native-'))
t.teardown(() => {
  rmSync(folder, { recursive: true })
})
const rudePeer = join(folder, 'rude-peer')
const source = new URL('test/two-descriptors.c', import.meta.url).pathname
execFileSync(process.env['CC'] ?? 'gcc', ['-o', rudePeer, source])

function openCount(): number {
  return readdirSync('/proc/self/fd').length
}

/** The end of a socket on which a peer in C has sent. */
async function heard(what: string): Promise<Descriptor> {
  const [ours, theirs] = socketPair()
  const child = spawn(rudePeer, [what], { stdio: [theirs.fd, 'ignore', 'inherit'] })
  theirs.close()
  t.same(await once(child, 'close'), [0, null])
  return ours
}

t.test(
  'receiveDescriptor() takes one descriptor of many, and keeps none of the others',
  async (t) => {
    for (const what of ['two', 'many']) {
      const before = openCount()
      const socket = await heard(what)
      const received = socket.receiveDescriptor()
      t.equal(received?.write('x'), 1, 'it is open')
      received?.close()
      t.throws(() => socket.receiveDescriptor(), { code: 'ECONNRESET' }, 'nothing else came')
      socket.close()
      t.equal(openCount(), before, what)
    }
  },
)

t.test('receiveDescriptor() refuses an octet without a descriptor', async (t) => {
  for (const what of ['none', 'other']) {
    const before = openCount()
    const socket = await heard(what)
    t.throws(() => socket.receiveDescriptor(), { code: 'EBADMSG' }, what)
    socket.close()
    t.equal(openCount(), before)
  }
})

t.test('a descriptor whose octet was read like any other is gone', (t) => {
  const before = openCount()
  const [a, b] = socketPair()
  const [reader, writer] = pipePair()
  a.sendDescriptor(writer)
  t.equal(b.readText(), '\0')
  t.equal(reader.readText(), '', 'the kernel has closed it')
  for (const descriptor of [a, b, reader]) descriptor.close()
  t.equal(openCount(), before)
  t.end()
})

t.test('sendDescriptor() to a peer that does not read waits, and loses nothing', (t) => {
  const before = openCount()
  const [a, b] = socketPair()
  while (a.write('x'.repeat(65_536)) > 0);
  const [reader, writer] = pipePair()
  t.equal(a.sendDescriptor(writer), false)
  t.equal(writer.isOpen, true, 'still ours')
  for (const descriptor of [a, b, reader, writer]) descriptor.close()
  t.equal(openCount(), before)
  t.end()
})

t.test('sendDescriptor() on what is no Unix-domain socket', (t) => {
  const before = openCount()
  const [reader, writer] = pipePair()
  t.throws(() => writer.sendDescriptor(reader), { code: 'ENOTSOCK' })
  t.throws(() => reader.receiveDescriptor(), { code: 'ENOTSOCK' })
  t.equal(reader.isOpen, true)
  reader.close()
  writer.close()
  t.equal(openCount(), before)
  t.end()
})
