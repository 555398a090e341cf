import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { SaslCredentials, type Login } from './sasl-credentials.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

async function find(
  table: string,
  key: { host?: string; sender?: string; nexthop?: string },
  settings: Record<string, string> = { smtp_sender_dependent_authentication: 'yes' },
  protocol: 'smtp' | 'lmtp' = 'smtp',
): Promise<Login | undefined> {
  const config = MainConfig.of({
    [`${protocol}_sasl_password_maps`]: table,
    recipient_delimiter: '+',
    inet_interfaces: '127.0.0.99',
    mydestination: 'local.test',
    myorigin: 'origin.test',
    ...settings,
  })
  const { host = 'mx.test', sender = '', nexthop = '[mx.test]:587' } = key
  return SaslCredentials.open(config, protocol).find(host, sender, nexthop)
}

t.test('keys, in their order', async (t) => {
  const keys = [
    'me+x@local.test',
    'me@local.test',
    'me+x',
    'me',
    '@local.test',
    'mx.test',
    '[mx.test]:587',
  ]
  for (const at of keys.keys()) {
    const table = `inline:{ ${keys
      .slice(at)
      .map((key, index) => `{${key}=u${at + index}:secret}`)
      .join(' ')} }`
    const login = await find(table, { sender: 'me+x@local.test' })
    t.same(login, { user: `u${at}`, password: 'secret' })
  }
  t.equal(await find('inline:{ mx.test:587=a, me@local.test=b }', {}), undefined)
})

t.test('local parts alone are for domains of ours', async (t) => {
  const table = 'inline:{me=a:b}'
  t.ok(await find(table, { sender: 'me@origin.test' }))
  t.ok(await find(table, { sender: 'me@[127.0.0.99]' }))
  t.equal(await find(table, { sender: 'me@other.test' }), undefined)
})

t.test('senders count in SMTP, when they shall, and when there is one', async (t) => {
  const table = 'inline:{ a@b.test=sender:x, mx.test=host:x, @=null:x }'
  const sender = 'a@b.test'
  t.match(await find(table, { sender }), { user: 'sender' })
  t.match(await find(table, { sender: '' }), { user: 'host' })
  t.match(await find(table, { sender }, {}), { user: 'host' })
  const lmtp = { lmtp_sender_dependent_authentication: 'yes' }
  t.match(await find(table, { sender }, lmtp, 'lmtp'), { user: 'host' })
})

t.test('a value without delimiter is a user without password', async (t) => {
  t.same(await find('static:user', {}), { user: 'user', password: '' })
  t.same(await find('static:a:b:c', {}), { user: 'a', password: 'b:c' })
  t.same(await find('static::b', {}), { user: '', password: 'b' })
  for (const protocol of ['smtp', 'lmtp'] as const) {
    const settings = { [`${protocol}_sasl_password_result_delimiter`]: '|' }
    t.same(await find('static:a:b|c|d', {}, settings, protocol), { user: 'a:b', password: 'c|d' })
  }
})

t.test('a table that cannot be asked is no answer', async (t) => {
  await t.rejects(find('fail:x', {}), {
    code: 'POSTHORN_LOCAL_DATA',
    message: 'smtp_sasl_password_maps lookup error',
  })
  await t.rejects(find('fail:x', { sender: 'a@b.test' }), { code: 'POSTHORN_LOCAL_DATA' })
})
