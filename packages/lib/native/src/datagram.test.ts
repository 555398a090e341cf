import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { DatagramSocket } from './datagram.ts'

const folder = mkdtempSync(join(tmpdir(), 'posthorn-native-'))
const path = join(folder, 'log')
t.teardown(() => {
  rmSync(folder, { recursive: true })
})

t.test('datagrams arrive whole, in order, with their octets', async (t) => {
  const server = DatagramSocket.bind(path, 0o666)
  t.equal(statSync(path).mode & 0o777, 0o666)
  const client = DatagramSocket.connect(path)
  const received: string[] = []
  const all = new Promise<void>((resolve) => {
    server.onMessage((octets) => {
      received.push(octets)
      if (received.length === 4) resolve()
    })
  })
  const sent = ['one', '', 'caf\xe9\0\n', 'x'.repeat(60_000)]
  for (const octets of sent) t.equal(client.send(octets), true)
  await all
  t.same(received, sent)
  server.close()
  server.close()
  t.throws(() => client.send('x'), { code: 'ECONNREFUSED' })
  client.close()
})

t.test('send() tells when the receiver does not keep up', (t) => {
  const server = DatagramSocket.bind(path)
  const client = DatagramSocket.connect(path)
  let accepted = 0
  while (accepted < 10_000 && client.send('line')) accepted++
  t.ok(accepted > 0 && accepted < 10_000)
  t.equal(client.send('line', 1), false)
  client.close()
  server.close()
  t.end()
})

t.test('connect() without a receiver', (t) => {
  t.throws(() => DatagramSocket.connect(join(folder, 'nobody')), { code: 'ENOENT' })
  t.throws(() => DatagramSocket.connect('x'.repeat(200)), TypeError)
  t.end()
})

t.test('detach() gives the socket away, bound', (t) => {
  const server = DatagramSocket.bind(path)
  const again = DatagramSocket.adopt(server.detach())
  t.throws(() => server.fd)
  const client = DatagramSocket.connect(path)
  t.equal(client.send('x'), true)
  client.close()
  again.close()
  t.end()
})
