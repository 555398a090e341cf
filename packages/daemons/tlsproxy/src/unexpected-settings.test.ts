/**
 * unexpected-settings.test - when tlsproxy(8) complains of a client, and what it says
 */
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import type { TlsClientInit, TlsClientParams } from '@posthorn/wire/tlsproxy-protocol'
import t from 'tap'
import { readOwnSettings } from './own-settings.ts'
import { warnAboutUnexpected } from './unexpected-settings.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

const config = MainConfig.of({ smtp_tls_security_level: 'may', smtp_tls_loglevel: '1' })
const own = readOwnSettings(config)
if (own === undefined) throw new Error('no settings')
const { params, init } = own

t.test('readOwnSettings() has none where main.cf asks for no TLS client', (t) => {
  const settings = (main: Record<string, string>) => readOwnSettings(MainConfig.of(main))
  t.equal(settings({}), undefined)
  t.equal(settings({ smtp_tls_security_level: 'none' }), undefined)
  t.equal(settings({ smtp_tls_security_level: 'may', tlsproxy_client_level: 'none' }), undefined)
  t.ok(settings({ smtp_use_tls: 'yes' }))
  t.ok(settings({ smtp_enforce_tls: 'yes' }))
  t.ok(settings({ tlsproxy_client_security_level: 'dane' }))
  const changed = { tlsproxy_client_CAfile: '/a.pem', smtp_tls_cert_file: '/b.pem' }
  t.match(settings({ smtp_use_tls: 'yes', ...changed })?.init, {
    caFile: '/a.pem',
    certFile: '/b.pem',
    logParameter: 'smtp_tls_loglevel',
    cacheType: 'smtp',
  })
  t.end()
})

t.test('warnAboutUnexpected() names what differs, where that matters', (t) => {
  const warned = (changes: Partial<TlsClientInit>, other: Partial<TlsClientParams> = {}) => {
    logged.lines.length = 0
    const requested = { params: { ...params, ...other }, init: { ...init, ...changes } }
    warnAboutUnexpected({ params, init }, requested)
    return logged.lines.map((line) => line.slice(0, 60))
  }
  t.same(warned({}), [])
  t.same(warned({ logLevel: '0', verifyDepth: 3 }), [], 'of no importance without files')
  const first = 'warning: request from tlsproxy client with unexpected settin'
  const last = 'warning: to avoid this warning, 1) identify the tlsproxy cli'
  t.same(warned({ caFile: '/ca.pem' }), [
    first,
    "warning: (server) 'CAfile=' != (client) 'CAfile=/ca.pem'",
    last,
  ])
  t.same(warned({ logLevel: '0' }, { appendsDefaultCa: 1, randomBytes: 33 }).length, 3)
  logged.lines.length = 0
  warnAboutUnexpected(
    { params, init },
    { params: { ...params, randomBytes: 33 }, init: { ...init, logLevel: '0' } },
  )
  t.equal(
    logged.lines[1],
    "warning: (server) 'tls_daemon_random_bytes=32' != (client) 'tls_daemon_random_bytes=33'; " +
      "(server) 'log_level=1' != (client) 'log_level=0'",
  )
  t.end()
})
