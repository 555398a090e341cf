import { once } from 'node:events'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { waitFor } from '@posthorn/testing/wait-for'
import type { TlsClientParams } from '@posthorn/wire/tlsproxy-protocol'
import t from 'tap'
import { openClientEngine } from './client-engine.ts'
import { readClientParams, readEngineOptions } from './client-params.ts'
import { makeCertificate } from './test/certificate-maker.ts'
import { clientInit, clientParams, clientStart } from './test/settings.ts'
import { serve } from './test/tls-server.ts'

/** A value that is not the default, and where the engine gets it. */
const PARAMETERS: Readonly<Record<string, readonly [string, keyof TlsClientParams, unknown]>> = {
  tls_config_file: ['/openssl.cnf', 'configFile', '/openssl.cnf'],
  tls_config_name: ['posthorn', 'configName', 'posthorn'],
  tls_high_cipherlist: ['AES256', 'highCipherList', 'AES256'],
  tls_medium_cipherlist: ['AES128', 'mediumCipherList', 'AES128'],
  tls_low_cipherlist: ['LOW', 'lowCipherList', 'LOW'],
  tls_export_cipherlist: ['EXPORT', 'exportCipherList', 'EXPORT'],
  tls_null_cipherlist: ['NULL', 'nullCipherList', 'NULL'],
  tls_eecdh_auto_curves: ['X25519', 'autoCurves', 'X25519'],
  tls_eecdh_strong_curve: ['secp521r1', 'strongCurve', 'secp521r1'],
  tls_eecdh_ultra_curve: ['secp521r1', 'ultraCurve', 'secp521r1'],
  tls_disable_workarounds: ['CRYPTOPRO-TLSEXT-BUG', 'disabledWorkarounds', 'CRYPTOPRO-TLSEXT-BUG'],
  tls_ssl_options: ['NO_RENEGOTIATION', 'sslOptions', 'NO_RENEGOTIATION'],
  tls_dane_digests: ['sha256', 'daneDigests', 'sha256'],
  tlsmgr_service_name: ['other', 'tlsmgrService', 'other'],
  tls_session_ticket_cipher: ['aes-128-cbc', 'ticketCipher', 'aes-128-cbc'],
  tls_daemon_random_bytes: ['16', 'randomBytes', 16],
  tls_append_default_CA: ['yes', 'appendsDefaultCa', 1],
  tls_legacy_public_key_fingerprints: ['yes', 'hasLegacyKeyFingerprints', 1],
  tls_preempt_cipherlist: ['yes', 'preemptsCipherList', 1],
  tls_wildcard_matches_multiple_labels: ['no', 'wildcardMatchesManyLabels', 0],
}

t.test('readClientParams() reads each parameter, and nothing else of it', (t) => {
  const plain = readClientParams(MainConfig.of({}))
  for (const [name, [value, field, expected]] of Object.entries(PARAMETERS)) {
    const params = readClientParams(MainConfig.of({ [name]: value }))
    t.same(params, { ...plain, [field]: expected }, name)
    t.not(plain[field], expected, `${name} has another default`)
  }
  t.equal(Object.keys(PARAMETERS).length, Object.keys(plain).length, 'all of them')
  t.end()
})

const own = makeCertificate({ subject: { CN: 'mx.good.test' } })

t.test('tls_ffdhe_auto_groups: groups that a client may be served with', async (t) => {
  const groups = { ecdhCurve: 'ffdhe2048' }
  const server = await serve(t, { context: { key: own.keyPem, cert: own.pem, ...groups } })
  const log = captureLog()
  t.teardown(log.restore)
  for (const [value, expected] of [
    ['ffdhe2048', 'DHE'],
    ['', undefined],
  ] as const) {
    const options = readEngineOptions(MainConfig.of({ tls_ffdhe_auto_groups: value }))
    t.equal(options.ffdheGroups, value)
    const engine = await openClientEngine(clientParams(), clientInit({ logLevel: '0' }), options)
    const stream = await server.connect()
    const context = await engine?.start(stream, clientStart()).catch(() => undefined)
    t.equal(context?.keyExchange, expected)
    stream.close()
  }
})

t.test('tls_fast_shutdown_enable: whether the last word of the server is waited for', async (t) => {
  for (const [value, awaitsServer] of [
    ['yes', false],
    ['no', true],
  ] as const) {
    const server = await serve(t, {
      context: { key: own.keyPem, cert: own.pem },
      // a server that does not end when its client does
      secured: (socket) => {
        socket.allowHalfOpen = true
        socket.resume()
      },
    })
    const options = readEngineOptions(MainConfig.of({ tls_fast_shutdown_enable: value }))
    t.equal(options.awaitsPeerClose, awaitsServer)
    const engine = await openClientEngine(clientParams(), clientInit({ logLevel: '0' }), options)
    const stream = await server.connect()
    await engine?.start(stream, clientStart())
    const [socket] = server.accepted
    if (socket === undefined) throw new Error('no connection')
    const ended = once(socket, 'end')
    stream.close()
    await ended
    // where the client does not wait its connection is gone, and the next word of the server refused
    const isRefused = (): boolean => {
      socket.write('421 too late\r\n')
      return socket.destroyed
    }
    if (awaitsServer) {
      for (let turn = 0; turn < 50; turn++) {
        await new Promise((resolve) => setImmediate(resolve))
        t.notOk(isRefused(), 'the client waits')
      }
    } else await waitFor(isRefused, 'the end of the connection')
    socket.end()
  }
})
