/**
 * proxymap-service.test - conversations over socket pairs: replies as recorded from Postfix 3.7.11
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream, StreamTimeoutError } from '@posthorn/stream/byte-stream'
import { CacheTable } from '@posthorn/tables/cache-table'
import { ABSENT } from '@posthorn/tables/lookup-table'
import { openTable } from '@posthorn/tables/open-table'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { encodeAttrList, type Attr } from '@posthorn/wire/attr-list'
import { Channel } from '@posthorn/wire/channel'
import { proxymapProtocol, TABLE_FLAGS } from '@posthorn/wire/proxymap-protocol'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { ApprovedTables } from './approved-tables.ts'
import { ProxymapService } from './proxymap-service.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

const inline = 'inline:{{a=b},{c=d e}}'

function newService(isWriter = false, whenStale = (): void => undefined): ProxymapService {
  const directory = temporaryDirectory(t)
  writeFileSync(join(directory, 'main.cf'), 'compatibility_level = 3.7\n')
  const config = MainConfig.load({ directory })
  const words = [
    `proxy:${inline}`,
    'proxy:fail:x',
    'proxy:hash:/nonexistent',
    'proxy:nonsense:',
    'hash:/private',
  ]
  const tables = new ApprovedTables(words, (name, foldsCase) =>
    openTable(name, { config, foldsCase }),
  )
  return new ProxymapService(tables, isWriter, whenStale)
}

async function connect(
  t: Test,
  service: ProxymapService,
): Promise<{ channel: Channel; served: Promise<void> }> {
  logged.lines.length = 0
  const [a, b] = socketPair()
  const stream = new ByteStream(b, { timeoutMs: 60_000 })
  const served = service.serve(stream).finally(() => {
    stream.close()
  })
  const channel = new Channel(new ByteStream(a, { timeoutMs: 5_000 }))
  t.teardown(() => {
    channel.close()
  })
  await channel.expectAnnouncement(proxymapProtocol)
  return { channel, served }
}

async function ask(channel: Channel, request: string, ...rest: Attr[]): Promise<string> {
  channel.sendList([['request', request], ...rest])
  return encodeAttrList(await channel.receiveReply())
}

const table: Attr = ['table', inline]
const flags = (value: number): Attr => ['flags', String(value)]
const key = (value: string): Attr => ['key', value]

t.test('replies of the read-only service', async (t) => {
  const { channel } = await connect(t, newService())
  const open = 'status\x000\0flags\x0016\0\0'
  t.equal(await ask(channel, 'open', table, flags(0)), open)
  t.equal(await ask(channel, 'open', ['table', `proxy:${inline}`], flags(0)), open)
  t.equal(await ask(channel, 'open', ['table', ''], flags(0)), 'status\x003\0flags\x000\0\0')
  t.equal(await ask(channel, 'lookup', table, flags(0), key('a')), 'status\x000\0value\0b\0\0')
  const absent = 'status\x001\0value\0\0\0'
  t.equal(await ask(channel, 'lookup', table, flags(64), key('A')), absent)
  t.equal(await ask(channel, 'lookup', table, flags(0x4000), key('A')), 'status\x000\0value\0b\0\0')
  t.equal(await ask(channel, 'lookup', table, flags(0), key('zz')), absent)
  t.equal(await ask(channel, 'lookup', table, flags(0), key('')), absent)
  t.same(logged.lines, [])
})

t.test('failures are statuses, and the conversation goes on', async (t) => {
  const { channel } = await connect(t, newService())
  const fail: Attr = ['table', 'fail:x']
  t.equal(await ask(channel, 'lookup', fail, flags(0), key('a')), 'status\x002\0value\0\0\0')
  const broken: Attr = ['table', 'hash:/nonexistent']
  t.equal(await ask(channel, 'open', broken, flags(0)), 'status\x000\0flags\x0028\0\0')
  const nonsense: Attr = ['table', 'nonsense:']
  t.equal(await ask(channel, 'open', nonsense, flags(0)), 'status\x005\0flags\x000\0\0')
  t.equal(await ask(channel, 'lookup', broken, flags(0), key('a')), 'status\x002\0value\0\0\0')
  logged.lines.length = 0
  const other: Attr = ['table', 'inline:{x=y}']
  t.equal(await ask(channel, 'lookup', other, flags(0), key('x')), 'status\x004\0value\0\0\0')
  t.equal(
    await ask(channel, 'open', ['table', 'hash:/private'], flags(0)),
    'status\x004\0flags\x000\0\0',
  )
  t.equal(
    await ask(channel, 'update', table, flags(0), key('x'), ['value', 'y']),
    'status\x004\0\0',
  )
  t.equal(await ask(channel, 'delete', table, flags(0), key('x')), 'status\x004\0\0')
  t.same(logged.lines, [
    'warning: request for unapproved table: "inline:{x=y}"',
    'warning: to approve this table for read-only access, list proxy:inline:{x=y} in main.cf:proxy_read_maps',
    'warning: request for unapproved table: "hash:/private"',
    'warning: to approve this table for read-only access, list proxy:hash:/private in main.cf:proxy_read_maps',
    `warning: refusing ${inline} update request on non-proxywrite service`,
    `warning: refusing ${inline} delete request on non-proxywrite service`,
  ])
  t.equal(
    await ask(channel, 'sequence', table, flags(0), ['function', '7']),
    'status\x003\0key\0\0value\0\0\0',
  )
  t.equal(await ask(channel, 'lookup', table, flags(0)), 'status\x003\0value\0\0\0')
  t.equal(await ask(channel, 'open', table), 'status\x003\0flags\x000\0\0')
  t.equal(await ask(channel, 'update', table), 'status\x003\0\0')
  t.equal(await ask(channel, 'sequence', table), 'status\x003\0key\0\0value\0\0\0')
  t.equal(await ask(channel, 'zz'), 'status\x003\0\0')
  t.equal(await ask(channel, 'lookup', table, flags(0), key('c')), 'status\x000\0value\0d e\0\0')
})

t.test(
  'proxywrite approves by its own parameter, and asks to retry what it cannot do',
  async (t) => {
    const { channel } = await connect(t, newService(true))
    t.equal(await ask(channel, 'lookup', table, flags(0), key('a')), 'status\x000\0value\0b\0\0')
    t.equal(
      await ask(channel, 'update', table, flags(0), key('x'), ['value', 'y']),
      'status\x002\0\0',
    )
    logged.lines.length = 0
    await ask(channel, 'lookup', ['table', 'static:x'], flags(0), key('a'))
    t.match(
      logged.lines[1],
      /for read-write access, list proxy:static:x in main.cf:proxy_write_maps/,
    )
  },
)

t.test('proxywrite writes to what it can keep', async (t) => {
  const name = `btree:${join(temporaryDirectory(t), 'cache')}`
  const { dupReplace } = TABLE_FLAGS
  const config = MainConfig.of({})
  const open = (): ApprovedTables =>
    new ApprovedTables(
      [`proxy:${name}`],
      (table, foldsCase) =>
        CacheTable.open(table, config, foldsCase) ?? openTable(table, { config }),
    )
  const tables = open()
  const { channel } = await connect(t, new ProxymapService(tables, true, () => undefined))
  const btree: Attr = ['table', name]
  const replace = flags(dupReplace)
  const update = async (how: Attr, value: string): Promise<string> =>
    ask(channel, 'update', btree, how, key('K'), ['value', value])
  t.equal(await update(replace, 'one'), 'status\x000\0\0')
  const folded = flags(TABLE_FLAGS.foldFix)
  t.equal(await ask(channel, 'lookup', btree, folded, key('K')), 'status\x001\0value\0\0\0')
  t.equal(await ask(channel, 'update', btree, folded, key('L'), ['value', 'x']), 'status\x000\0\0')
  t.equal(await ask(channel, 'lookup', btree, replace, key('l')), 'status\x000\0value\0x\0\0')
  t.equal(await ask(channel, 'delete', btree, replace, key('l')), 'status\x000\0\0')
  t.equal(await ask(channel, 'lookup', btree, replace, key('K')), 'status\x000\0value\0one\0\0')
  t.equal(await ask(channel, 'lookup', btree, replace, key('k')), 'status\x001\0value\0\0\0')
  t.equal(await update(flags(0), 'two'), 'status\x000\0\0')
  const first: Attr = ['function', '0']
  const next: Attr = ['function', '1']
  const entry = 'status\x000\0key\0K\0value\0two\0\0'
  t.equal(await ask(channel, 'sequence', btree, replace, first), entry)
  const end = 'status\x001\0key\0\0value\0\0\0'
  t.equal(await ask(channel, 'sequence', btree, replace, next), end)
  await new ProxymapService(tables, true, () => undefined).stop()
  const other = await connect(t, new ProxymapService(open(), true, () => undefined))
  t.equal(await ask(other.channel, 'sequence', btree, replace, first), entry, 'after a restart')
  t.equal(await ask(channel, 'delete', btree, replace, key('K')), 'status\x000\0\0')
  t.equal(await ask(channel, 'delete', btree, replace, key('K')), 'status\x001\0\0')
  t.same(logged.lines, [])
})

t.test('what is no request at all costs the connection', async (t) => {
  const { channel, served } = await connect(t, newService())
  channel.sendList([['x', 'y']])
  await t.rejects(served, { code: 'POSTHORN_ATTR' })
  t.equal(await channel.receive(), undefined)
})

t.test('a request that does not end in a second costs the connection', async (t) => {
  const { channel, served } = await connect(t, newService())
  channel.send('request\0look')
  await channel.stream.flush()
  await t.rejects(served, StreamTimeoutError)
})

t.test('whatever a client sends, the next one is served', async (t) => {
  const service = newService()
  const word = fc.constantFrom(
    'request',
    'open',
    'lookup',
    'sequence',
    'table',
    'flags',
    'key',
    'function',
    '{a=b}',
    '',
    'x',
    '-1',
    '0',
    '\xff',
  )
  const octets = fc.array(fc.tuple(word, fc.constantFrom('\0', '\0\0', '')), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(octets, async (parts) => {
      const bad = await connect(t, service)
      bad.channel.send(parts.flat().join(''))
      await bad.channel.stream.flush()
      bad.channel.close()
      bad.served.catch(() => undefined)
      const good = await connect(t, service)
      t.equal(
        await ask(good.channel, 'lookup', table, flags(0), key('a')),
        'status\x000\0value\0b\0\0',
      )
      good.channel.close()
    }),
    { numRuns: 60 },
  )
})

t.test('a table that has changed makes the process leave', async (t) => {
  const reasons: string[] = []
  const stale = { name: 'hash:/x', isPattern: false, isStale: true, find: () => ABSENT }
  const tables = new ApprovedTables(['proxy:hash:/x'], () => stale)
  const service = new ProxymapService(tables, false, (reason) => reasons.push(reason))
  const { channel } = await connect(t, service)
  t.equal(
    await ask(channel, 'open', ['table', 'hash:/x'], flags(0)),
    'status\x000\0flags\x0028\0\0',
  )
  await ask(channel, 'lookup', ['table', 'hash:/x'], flags(0), key('a'))
  t.same(reasons, ['table hash:/x has changed -- restarting'])
})
