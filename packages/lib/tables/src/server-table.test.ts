import { createServer, type Socket } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MainConfig } from '@posthorn/config/main-config'
import t from 'tap'
import { openTable } from './open-table.ts'
import { decodeOctets, encodeOctets } from './tcp-table.ts'

const config = MainConfig.of({ compatibility_level: '3.7' })

/** Answers each request with what `reply` makes of it; a request ends where `split` says. */
async function serve(
  at: number | string,
  take: (text: string) => number,
  reply: (request: string) => string | undefined,
): Promise<{ stop: () => Promise<void>; port: number; connections: () => number }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let text = ''
    socket.setEncoding('latin1')
    socket.on('error', () => undefined)
    socket.on('data', (chunk: string) => {
      text += chunk
      for (let end = take(text); end > 0; end = take(text)) {
        const answer = reply(text.slice(0, end))
        text = text.slice(end)
        if (answer === undefined) socket.destroy()
        else socket.write(answer, 'latin1')
      }
    })
  })
  await new Promise<void>((resolve) => {
    if (typeof at === 'number') server.listen(at, '127.0.0.1', resolve)
    else server.listen(at, resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
  return { stop, port, connections: () => sockets.size }
}

t.test('tcp: asks line by line on one connection, and again after a hang-up', async (t) => {
  let hangsUp = false
  const { stop, port, connections } = await serve(
    0,
    (text) => text.indexOf('\n') + 1,
    (request) => {
      if (hangsUp) {
        hangsUp = false
        return undefined
      }
      const key = decodeOctets(request.slice(4, -1)) ?? ''
      if (key === 'a b') return '200 x%20y\n'
      return key === 'no' ? '500 none\n' : key === 'later' ? '400 busy\n' : 'what?\n'
    },
  )
  t.teardown(stop)
  const table = openTable(`tcp:127.0.0.1:${port}`, { config })
  t.equal(table.isPattern, true)
  const answers = await Promise.all([table.find('a b'), table.find('no'), table.find('later')])
  t.same(answers, [
    { kind: 'found', value: 'x y' },
    { kind: 'absent' },
    { kind: 'tryAgain', reason: `tcp:127.0.0.1:${port}: busy` },
  ])
  t.equal(connections(), 1)
  hangsUp = true
  t.match(await table.find('a b'), { kind: 'found' })
  t.match(await table.find('odd'), { kind: 'tryAgain', reason: /bad reply "what\?"/ })
  t.match(await table.find('a b'), { kind: 'found' }, 'after a bad reply')
})

t.test('tcp: a server that is not there is no answer', async (t) => {
  const { stop, port } = await serve(
    0,
    () => 0,
    () => '',
  )
  await stop()
  t.match(await openTable(`tcp:127.0.0.1:${port}`, { config }).find('x'), { kind: 'tryAgain' })
  t.match(await openTable('tcp:nonsense', { config }).find('x'), { kind: 'tryAgain' })
})

t.test('encodeOctets() and decodeOctets()', (t) => {
  t.equal(encodeOctets('a b%\x00\xff~'), 'a%20b%25%00%FF~')
  t.equal(decodeOctets('a%20b%25%ff'), 'a b%\xff')
  t.equal(decodeOctets('a%2'), undefined)
  t.equal(decodeOctets('%zz'), undefined)
  t.end()
})

t.test('socketmap: netstrings over a Unix socket', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-map-'))
  const take = (text: string): number => {
    const [all = '', digits = ''] = /^(\d+):/.exec(text) ?? []
    const end = all.length + Number(digits) + 1
    return all !== '' && text.length >= end ? end : 0
  }
  const { stop } = await serve(join(directory, 's'), take, (request) => {
    const key = request.replace(/^\d+:names /, '').slice(0, -1)
    const replies: Record<string, string> = {
      a: 'OK x y',
      no: 'NOTFOUND ',
      later: 'TEMP busy',
      long: 'OK ',
    }
    const text = replies[key] ?? 'WHAT'
    return key === 'long' ? '999999:OK ' : `${text.length}:${text},`
  })
  t.teardown(async () => {
    await stop()
    rmSync(directory, { recursive: true })
  })
  const table = openTable(`socketmap:unix:${directory}/s:names`, { config })
  t.same(await table.find('a'), { kind: 'found', value: 'x y' })
  t.same(await table.find('no'), { kind: 'absent' })
  t.match(await table.find('later'), { kind: 'tryAgain', reason: /socketmap server error: busy/ })
  t.match(await table.find('odd'), { kind: 'tryAgain', reason: /bad reply/ })
  t.match(await table.find('long'), { kind: 'tryAgain', reason: /bad netstring length/ })
  t.same(await table.find('a'), { kind: 'found', value: 'x y' }, 'after a bad reply')
})
