/**
 * tlsproxy-relay.test - the last words, and sides that are slow to read
 */
import type { TLSSocket } from 'node:tls'
import { captureLog } from '@posthorn/log/capture-log'
import { waitFor } from '@posthorn/testing/wait-for'
import t from 'tap'
import { handOver, tlsServer } from './test/client-role.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

t.test('the last words of a server, and of a client', async (t) => {
  const words = 'z'.repeat(2_000_000)
  const port = await tlsServer(t, (socket) => {
    socket.end(words)
  })
  const first = await handOver(t, { port, flags: 2 })
  t.equal((await first.plain.readExactly(words.length)).length, words.length)
  t.equal(await first.plain.fill(), false)
  await first.done

  let heard = 0
  let hasEnded = false
  const listening = await tlsServer(t, (socket) => {
    socket.on('data', (octets: Buffer) => {
      heard += octets.length
    })
    socket.on('end', () => {
      hasEnded = true
      socket.end()
    })
  })
  const second = await handOver(t, { port: listening })
  await second.channel.receiveReply()
  second.plain.write(words)
  await second.plain.end()
  await second.done
  await waitFor(() => hasEnded, 'the end of TLS')
  t.equal(heard, words.length)
})

t.test('a server that is slow to read holds the client up', async (t) => {
  let reading: TLSSocket | undefined
  const port = await tlsServer(t, (socket) => {
    socket.pause()
    reading = socket
  })
  const { channel, plain, done } = await handOver(t, { port })
  await channel.receiveReply()
  let written = 0
  await waitFor(() => {
    if (plain.unwritten > 0) return true
    plain.write('w'.repeat(200_000))
    written += 200_000
    return false
  }, 'the client to be held up')
  let heard = 0
  reading?.on('data', (octets: Buffer) => {
    heard += octets.length
  })
  reading?.resume()
  await waitFor(() => heard === written, 'the server to hear all of it')
  plain.close()
  await done
})

t.test('the last words of a client, for a server that reads them later', async (t) => {
  let reading: TLSSocket | undefined
  const port = await tlsServer(t, (socket) => {
    socket.pause()
    reading = socket
  })
  const { channel, plain, done } = await handOver(t, { port })
  await channel.receiveReply()
  let written = 0
  await waitFor(() => {
    if (plain.unwritten > 0) return true
    plain.write('w'.repeat(200_000))
    written += 200_000
    return false
  }, 'the client to be held up')
  const ended = plain.end()
  let heard = 0
  // so much that tlsproxy(8) gets rid of what it has, but the kernel not of all
  reading?.on('readable', () => {
    if (heard < written / 2) heard += (reading?.read() as Buffer | null)?.length ?? 0
  })
  await ended
  await done
  let isAll = false
  reading?.removeAllListeners('readable')
  reading?.on('end', () => (isAll = true))
  reading?.on('data', (octets: Buffer) => {
    heard += octets.length
  })
  reading?.resume()
  await waitFor(() => isAll, 'the end of TLS')
  t.equal(heard, written)
})
