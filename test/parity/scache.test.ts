/**
 * scache.test - the connection cache, asked the same by hand in Postfix and in Posthorn
 *
 * Three cache services in one instance: one with the usual limits, one with a short time to live, one that reports
 * every second. Replies are compared octet for octet, and so are the lines in the log. What Postfix does not survive (few
 * descriptors) or has everybody wait for (a client that does not go on) is for Posthorn alone.
 */
import { openSync, readFileSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Descriptor } from '@posthorn/native/descriptor'
import { pipePair } from '@posthorn/native/socket'
import { waitFor } from '@posthorn/testing/wait-for'
import { encodeAttrList } from '@posthorn/wire/attr-list'
import { Channel } from '@posthorn/wire/channel'
import {
  dummy,
  FindDestination,
  FindEndpoint,
  SaveDestination,
  SaveEndpoint,
  scacheProtocol,
} from '@posthorn/wire/scache-protocol'
import t from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { comparable, onBoth, startSystem } from './both-systems.ts'

const options = {
  main: { max_idle: '1s', connection_cache_ttl_limit: '100s' },
  master: [
    'short unix - - n - 1 scache -o connection_cache_ttl_limit=2s',
    'report unix - - n - 1 scache -o connection_cache_status_update_time=1s -o max_idle=100s',
  ],
}

/** How many descriptors this process may have: that of the caches is the same. */
function descriptorLimit(): number {
  const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
  return Number(soft ?? Infinity)
}

const devNull = (): Descriptor => Descriptor.fresh(openSync('/dev/null', 'r'))

/** One client of a cache, that notes what it is answered. */
class Client {
  readonly replies: string[] = []
  readonly #channel: Channel

  private constructor(channel: Channel) {
    this.#channel = channel
  }

  static async connect(instance: Instance, service = 'scache'): Promise<Client> {
    const path = join(instance.queueDirectory, 'private', service)
    return new Client(await Channel.connect(path, { protocol: scacheProtocol, timeoutMs: 8000 }))
  }

  async ask(octets: string): Promise<string> {
    this.#channel.send(octets)
    const reply = encodeAttrList(await this.#channel.receiveReply())
    this.replies.push(reply)
    return reply
  }

  /** Gives one end of a new pipe to the cache; what is written to it shows in the other, its end too. */
  async save(endpoint: string, properties: string, ttlSeconds = 30): Promise<Descriptor> {
    const [read, write] = pipePair()
    await this.saveDescriptor(endpoint, properties, write, ttlSeconds)
    return read
  }

  async saveDescriptor(
    endpoint: string,
    properties: string,
    descriptor: Descriptor,
    ttlSeconds = 30,
  ): Promise<void> {
    await this.ask(SaveEndpoint.encode({ ttlSeconds, endpoint, properties }))
    await this.#channel.stream.sendDescriptor(descriptor)
    this.replies.push(encodeAttrList(await this.#channel.receiveReply()))
  }

  async bind(
    destination: string,
    properties: string,
    endpoint: string,
    ttlSeconds = 30,
  ): Promise<void> {
    await this.ask(SaveDestination.encode({ ttlSeconds, destination, properties, endpoint }))
  }

  async findEndpoint(endpoint: string): Promise<Descriptor | undefined> {
    return this.#find(FindEndpoint.encode({ endpoint }))
  }

  async findDestination(destination: string): Promise<Descriptor | undefined> {
    return this.#find(FindDestination.encode({ destination }))
  }

  async #find(request: string): Promise<Descriptor | undefined> {
    if (!(await this.ask(request)).startsWith('status\x000\0')) return undefined
    this.#channel.send(dummy)
    const found = await this.#channel.stream.receiveDescriptor(true)
    this.#channel.send(dummy)
    return found
  }

  close(): void {
    this.#channel.close()
  }
}

function flagsOf(descriptor: Descriptor | undefined): string {
  if (descriptor === undefined) return 'none'

  return (
    /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor.fd}`, 'utf8'))?.[1] ?? ''
  )
}

/** What the caches have said; statistics lines without their time. */
async function cacheLog(instance: Instance): Promise<string[]> {
  const lines = comparable(await instance.log()).split('\n')
  return lines
    .filter((line) => line.includes('/scache[PID]: '))
    .map((line) => line.replace(/^.*\[PID\]: /, '').replace(/interval .*$/, 'interval TIME'))
}

async function untilReported(instance: Instance): Promise<string[]> {
  await waitFor(
    async () => (await instance.log()).includes('max simultaneous'),
    'statistics',
    10_000,
  )
  return cacheLog(instance)
}

/** The octets that come through a pipe; '' when its other end has been closed everywhere. */
async function through(pipe: Descriptor): Promise<string> {
  return waitFor(() => {
    const text = pipe.readText()
    return text === undefined ? undefined : { text }
  }).then(({ text }) => text)
}

t.test('requests, replies, order and statistics', async (t) => {
  const seen = await onBoth(t, options, async (instance) => {
    const client = await Client.connect(instance)
    const other = await Client.connect(instance)
    const got: string[] = []
    const note = async (found: Descriptor | undefined, pipes: Descriptor[]): Promise<void> => {
      if (found === undefined) {
        got.push('none')
        return
      }
      found.write('!')
      const at = await waitFor(() => {
        const index = pipes.findIndex((pipe) => pipe.readText() === '!')
        return index < 0 ? undefined : `number ${index}`
      })
      got.push(at)
      found.close()
    }
    // a name without a connection, then with one, then used up
    await client.bind('D1', 'p1', 'E1')
    await note(await client.findDestination('D1'), [])
    const one = await client.save('E1', 'q1')
    await note(await other.findDestination('D1'), [one])
    await note(await client.findDestination('D1'), [])
    got.push(`then the pipe has ended: ${(await through(one)) === ''}`)
    // first in, first out, whoever asks
    const pipes = [
      await client.save('E1', 'a'),
      await other.save('E1', 'b'),
      await client.save('E1', 'b'),
    ]
    await note(await client.findEndpoint('E1'), pipes)
    await note(await other.findDestination('D1'), pipes)
    await note(await other.findEndpoint('E1'), pipes)
    await note(await client.findEndpoint('E1'), pipes)
    // bindings in the order in which they came; the second of these is used when the first leads nowhere
    await client.bind('D2', 'p1', 'E2')
    await client.bind('D2', 'p2', 'E2')
    await client.bind('D2', 'p3', 'E3')
    await client.bind('D2', 'p1', 'E2')
    const more = [await client.save('E3', 'x'), await client.save('E2', 'y')]
    await note(await client.findDestination('D2'), more)
    await note(await client.findDestination('D2'), more)
    await note(await client.findDestination('D2'), more)
    // a descriptor is kept as it is: its flags belong to the process that will use it, too
    const blocking = Descriptor.fresh(openSync('/dev/null', 'r'))
    await client.saveDescriptor('E5', 'blocking', blocking)
    const kept = await client.findEndpoint('E5')
    got.push(`flags ${flagsOf(kept)}`)
    kept?.close()
    // what it does not understand
    await client.ask('request\0nonsense\0\0')
    await client.ask('request\0find_endp\0\0')
    await client.ask('request\0find_dest\0label\0\0\0')
    await client.ask('request\0save_dest\0ttl\x000\0label\0a\0property\0b\0label\0c\0\0')
    await client.ask('request\0save_dest\0ttl\x007\0label\0a\0label\0c\0\0')
    await client.ask('request\0save_endp\0ttl\0-1\0label\0a\0property\0b\0\0')
    await client.ask(FindEndpoint.encode({ endpoint: 'still there?' }))
    // a hit that nobody comes for
    const lost = await client.save('E4', 'z')
    const hasty = await Client.connect(instance)
    await hasty.ask(FindEndpoint.encode({ endpoint: 'E4' }))
    hasty.close()
    got.push(`the connection of a client that left is closed: ${(await through(lost)) === ''}`)
    const replies = [...client.replies, '--', ...other.replies, '--', ...hasty.replies]
    client.close()
    other.close()
    const log = (await untilReported(instance))
      .filter((line) => !/attribute|numerical data/.test(line)) // the attribute layer's own words
      .map((line) => line.replace(/(cannot send file descriptor): .*/, '$1'))
    return { replies, got, log }
  })
  t.same(seen.posthorn.got, seen.postfix.got, 'the same connections are found')
  t.same(seen.posthorn.replies, seen.postfix.replies, 'the same replies, octet for octet')
  t.same(seen.posthorn.log, seen.postfix.log, 'the same lines in the log')
  t.ok(seen.posthorn.log.includes('statistics: domain lookup hits=4 miss=4 success=50%'))
})

t.test('time to live: of the request, and at most connection_cache_ttl_limit', async (t) => {
  const seen = await onBoth(t, options, async (instance) => {
    const client = await Client.connect(instance)
    const short = await Client.connect(instance, 'short')
    const startedMs = Date.now()
    const seconds = async (pipe: Descriptor): Promise<number> => {
      await waitFor(() => pipe.readText() === '', 'the cached connection to be closed', 10_000)
      return (Date.now() - startedMs) / 1000
    }
    await client.bind('D1', 'p', 'E2', 50)
    await short.bind('D1', 'p', 'E2', 50)
    const own = seconds(await client.save('E1', 'two seconds', 2))
    const limited = seconds(await short.save('E1', 'limited', 50))
    const lives = { own: await own, limited: await limited }
    // the limit was for the binding, too, which is older than the connection
    const kept = await client.save('E2', 'k')
    await short.save('E2', 'k')
    const found = [await client.findDestination('D1'), await short.findDestination('D1')]
    const outcome = {
      found: found.map((one) => one !== undefined),
      inTime: Object.values(lives).map((life) => life > 0.9 && life < 20),
    }
    for (const one of [...found, kept]) one?.close()
    client.close()
    short.close()
    return outcome
  })
  t.same(seen.postfix, { found: [true, false], inTime: [true, true] }, 'Postfix')
  t.same(seen.posthorn, seen.postfix, 'Posthorn')
})

t.test('5,000 connections at once, labels of 100 KB', async (t) => {
  const clientCount = 50
  const each = Math.floor(Math.min(5000, descriptorLimit() / 2) / clientCount)
  const most = clientCount * each
  const seen = await onBoth(t, options, async (instance) => {
    const clients = await Promise.all(
      Array.from({ length: clientCount }, async () => Client.connect(instance)),
    )
    const forAll = async (work: (client: Client, at: number) => Promise<void>): Promise<void> => {
      await Promise.all(clients.map(work))
    }
    await forAll(async (client, at) => {
      await client.bind(`D${at}`, 'p', `E${at}`, 90)
      for (let n = 0; n < each; n++) await client.saveDescriptor(`E${at}`, 'q', devNull(), 90)
    })
    let hits = 0
    await forAll(async (client, at) => {
      for (let n = 0; n <= each; n++) {
        const found = await client.findDestination(`D${at}`)
        if (found !== undefined) hits += 1
        found?.close()
      }
    })
    const [one] = clients
    const long = 'L'.repeat(100_000)
    await one?.saveDescriptor(long, 'P'.repeat(100_000), devNull())
    const found = await one?.findEndpoint(long)
    const reply = one?.replies.at(-1)?.length
    found?.close()
    await one?.findEndpoint('none') // so that it is not gone before the cache knows that it has its connection
    const bad = clients.flatMap(({ replies }) => replies).filter((text) => text.includes('\x001\0'))
    for (const client of clients) client.close()
    const lines = await untilReported(instance)
    return { hits, reply, hasLong: found !== undefined, bad, lines }
  })
  t.equal(seen.posthorn.hits, most)
  t.same(seen.posthorn, seen.postfix)
  t.match(seen.posthorn.lines.at(-1), new RegExp(`addresses=${clientCount} connection=${most}$`))
})

t.test('few descriptors, and a client that does not go on: Posthorn alone', async (t) => {
  const instance = await startSystem(t, 'posthorn', {
    main: { ...options.main, connection_cache_protocol_timeout: '1s' },
    master: ['small unix - - n - 1 small-scache'],
  })
  const program = join(instance.directory, 'libexec/small-scache')
  await writeFile(program, '#!/bin/sh\nulimit -n 64\nexec "${0%/*}/scache" "$@"\n')
  await chmod(program, 0o755)
  const client = await Client.connect(instance, 'small')
  const pipes: Descriptor[] = []
  for (let n = 0; n < 100; n++) pipes.push(await client.save(`E${n}`, 'p', n < 50 ? 90 : 60))
  t.same(new Set(client.replies), new Set([dummy, 'status\x000\0\0']), 'all are taken')
  const isKept = pipes.map((pipe) => pipe.readText() === undefined)
  const kept = isKept.filter(Boolean).length
  t.ok(kept >= 8 && kept < 64, `${kept} are kept`)
  t.ok(
    isKept.slice(0, 50).filter(Boolean).length >= kept - 1,
    'those that live longest, and the last one',
  )
  const others = await Promise.all(
    Array.from({ length: 100 }, async () =>
      Client.connect(instance, 'small').catch(() => undefined),
    ),
  )
  const last = await Client.connect(instance, 'small')
  t.ok((await last.ask(FindEndpoint.encode({ endpoint: 'none' }))).startsWith('status\x002\0'))
  for (const one of [...others, client, last]) one?.close()

  const stuck = await Client.connect(instance)
  await stuck.ask(SaveEndpoint.encode({ ttlSeconds: 9, endpoint: 'stuck', properties: '' }))
  const good = await Client.connect(instance)
  t.ok((await good.ask(FindEndpoint.encode({ endpoint: 'none' }))).startsWith('status\x002\0'))
  const stuckSays = /scache_save_endp_service: unable to receive file descriptor: .*wait/
  await waitFor(async () => stuckSays.test(await instance.log()), 'its time to be over', 10_000)
  for (const one of [stuck, good]) one.close()
  const early = /scache\[\d+\]: statistics: connections closed early for want of room=(\d+)/
  const line = await waitFor(
    async () => early.exec(await instance.log()) ?? undefined,
    'statistics',
    10_000,
  )
  t.ok(Number(line[1]) >= 100 - kept, line[0])
  t.notMatch(await instance.log(), /fatal|panic/)
  for (const pipe of pipes) pipe.close()
})

t.test('many connections to one endpoint; statistics while the cache runs', async (t) => {
  const count = 200
  const seen = await onBoth(t, options, async (instance) => {
    const clients = await Promise.all(
      Array.from({ length: 10 }, async () => Client.connect(instance, 'report')),
    )
    const pipes = await Promise.all(
      clients.map(async (client) => {
        const own: Descriptor[] = []
        for (let n = 0; n < count / clients.length; n++) own.push(await client.save('E', 'p', 90))
        return own
      }),
    )
    await clients[0]?.bind('D', 'p', 'E', 90)
    const found = await Promise.all(
      clients.map(async (client) => {
        let hits = 0
        for (let n = 0; n < count / clients.length; n++) {
          const one = await client.findDestination('D')
          if (one !== undefined) hits += 1
          one?.close()
        }
        return hits
      }),
    )
    const ended = await Promise.all(pipes.flat().map(async (pipe) => through(pipe)))
    // over all intervals together
    const sum = (text: string, what: RegExp): number =>
      [...text.matchAll(what)].reduce((all, [, number]) => all + Number(number), 0)
    const hits = /domain lookup hits=(\d+)/g
    const log = await waitFor(
      async () => {
        const text = (await cacheLog(instance)).join('\n')
        return sum(text, hits) < count ? undefined : text
      },
      'statistics of all lookups',
      10_000,
    )
    for (const client of clients) client.close()
    return {
      found: found.reduce((all, hits) => all + hits, 0),
      open: ended.filter((text) => text !== '').length,
      hits: sum(log, hits),
      misses: sum(log, /domain lookup hits=\d+ miss=(\d+)/g),
      most: Math.max(...[...log.matchAll(/connection=(\d+)/g)].map(([, number]) => Number(number))),
    }
  })
  t.same(seen.postfix, { found: count, open: 0, hits: count, misses: 0, most: count }, 'Postfix')
  t.same(seen.posthorn, seen.postfix, 'Posthorn')
})
