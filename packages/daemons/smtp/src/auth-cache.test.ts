import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import t from 'tap'
import { ABSENT, found, tryAgain, type WritableTable } from '@posthorn/tables/lookup-table'
import { ScriptedPeer } from '@posthorn/testing/scripted-peer'
import { AuthCache } from './auth-cache.ts'
import { TestWorld } from './test/test-world.ts'

interface Fake extends WritableTable {
  readonly entries: Map<string, string>
}

function table(isAway = false): Fake {
  const entries = new Map<string, string>()
  return {
    name: 'proxy:btree:x',
    isPattern: false,
    entries,
    find: (key) => {
      const value = entries.get(key)
      if (isAway) return tryAgain('away')
      return value === undefined ? ABSENT : found(value)
    },
    update: (key, value) => {
      if (!isAway) entries.set(key, value)
      return !isAway
    },
    remove: (key) => entries.delete(key),
  }
}

const login = { user: 'user', password: 'pass' }
const refusal = { code: 535, dsn: '5.7.8', text: '535-5.7.8 no\n535 5.7.8 never' }

t.test('an entry as Postfix 3.7.11 has it', async (t) => {
  const { entries, ...rest } = table()
  const cache = new AuthCache({ ...rest }, 60)
  await cache.save('mx.test', login, refusal)
  t.match(
    entries.get('mx.test;user'),
    /^\d{10,};nU4eI71bcnBGqeO0t9tXvY1u5oQ=;5\.7\.8;535-5\.7\.8 no\n535 5\.7\.8 never$/,
  )
  t.same(await cache.find('mx.test', login), { code: 535, dsn: '5.7.8', text: '535-5.7.8 no' })
  t.equal(await cache.find('other.test', login), undefined)
  t.equal(await cache.find('mx.test', { ...login, user: 'other' }), undefined)
  t.equal(entries.size, 1)
})

t.test('with another password, too old or malformed it is removed', async (t) => {
  const key = 'mx.test;user'
  const now = Math.floor(Date.now() / 1000)
  const hash = 'nU4eI71bcnBGqeO0t9tXvY1u5oQ='
  const left = async (value: string, asked = login): Promise<boolean> => {
    const fake = table()
    fake.entries.set(key, value)
    const refused = await new AuthCache(fake, 60).find('mx.test', asked)
    t.equal(fake.entries.has(key), refused !== undefined)
    return refused !== undefined
  }
  t.ok(await left(`${now - 30};${hash};5.7.8;535 no`))
  t.notOk(await left(`${now - 30};${hash};5.7.8;535 no`, { ...login, password: 'new' }))
  t.notOk(await left(`${now - 62};${hash};5.7.8;535 no`))
  t.notOk(await left(`${now};${hash};2.0.0`))
  t.notOk(await left(''))
})

t.test('a table that is away costs a try', async (t) => {
  const cache = new AuthCache(table(true), 60)
  await cache.save('mx.test', login, refusal)
  t.equal(await cache.find('mx.test', login), undefined)
})

/** What proxymap(8) would be asked and say, as proxywrite: it knows one entry. */
async function proxywrite(
  test: { teardown: (undo: () => unknown) => unknown },
  service: string,
  value: string,
): Promise<string[]> {
  const requests: string[] = []
  const server = createServer((socket) => {
    socket.write('protocol\0proxymap_protocol\0\0')
    socket.on('data', (octets: Buffer) => {
      const request = octets.toString('latin1').split('\0').slice(1, -2).join(' ')
      requests.push(request)
      const isKnown = request.includes('127.0.0.1;user')
      if (!request.startsWith('lookup')) socket.write('status\x000\0\0')
      else socket.write(isKnown ? `status\x000\0value\0${value}\0\0` : 'status\x001\0value\0\0\0')
    })
  })
  mkdirSync('private')
  server.listen(`private/${service}`)
  await once(server, 'listening')
  test.teardown(() => server.close())
  return requests
}

for (const protocol of ['smtp', 'lmtp'] as const) {
  t.test(`${protocol}: what was refused a minute ago, and when that is forgotten`, async (t) => {
    const peer = await ScriptedPeer.start({
      extensions: ['AUTH PLAIN'],
      replies: { AUTH: '535 5.7.8 still no' },
    })
    t.teardown(async () => peer.close())
    const now = Math.floor(Date.now() / 1000)
    const hash = 'nU4eI71bcnBGqeO0t9tXvY1u5oQ='
    const outcome = async (time: string): Promise<{ log: string; asked: string[] }> => {
      const parameters = {
        auth_enable: 'yes',
        password_maps: 'static:user:pass',
        security_options: '',
        auth_cache_name: 'proxy:btree:/var/cache',
        auth_cache_time: time,
      }
      const service = `write-${protocol}-${time}`
      const settings: Record<string, string> = {
        proxywrite_service_name: service,
        smtputf8_enable: 'yes',
      }
      for (const [name, value] of Object.entries(parameters)) {
        settings[`${protocol}_sasl_${name}`] = value
      }
      const world = await TestWorld.start(t, settings, { protocol })
      const asked = await proxywrite(t, service, `${now - 60};${hash};5.7.8;535 5.7.8 no`)
      const { log } = await world.deliver({ nexthop: `[127.0.0.1]:${peer.port}` })
      return { log: log.at(-1) ?? '', asked: asked.map((one) => one.replace(/ value .*/, '')) }
    }
    const remembered = await outcome('2m')
    t.match(
      remembered.log,
      /dsn=4\.7\.8, .*\(SASL \[CACHED\] authentication failed; server 127\.0\.0\.1 said: 535 5\.7\.8 no\)/,
    )
    const key = 'table btree:/var/cache flags 524672 key 127.0.0.1;user'
    t.same(remembered.asked, [`lookup ${key}`])
    t.notOk(peer.commands.some((line) => line.startsWith('AUTH')))
    const forgotten = await outcome('30s')
    t.match(forgotten.log, /SASL authentication failed; .* said: 535 5\.7\.8 still no/)
    t.same(forgotten.asked, [`lookup ${key}`, `delete ${key}`, `update ${key}`])
  })
}
