/**
 * unavailable-tls - what main.cf may ask of TLS, and Node.js cannot give: said once, at start
 *
 *     smtp_tls_enable_rpk         keys without certificates (RFC 7250): node:tls does not negotiate them
 *     smtp_tls_trace_size_limit   of a dump of the handshake: node:tls gives none, so that there is nothing to cut off
 *
 * Nothing is less secure for it: without raw public keys the server shows its certificate, and policy decides as ever.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { findParameter } from '@posthorn/config/parameter-registry'
import { log } from '@posthorn/log/log'
import type { Protocol } from './client-options.ts'

export function warnOfUnavailable(config: MainConfig, protocol: Protocol): void {
  if (config.boolean(`${protocol}_tls_enable_rpk`)) {
    log.warning(`${protocol}_tls_enable_rpk = yes is ignored: certificates only`)
  }
  const limit = `${protocol}_tls_trace_size_limit` as const
  const value = config.integer(limit)
  if (String(value) === findParameter(limit)?.spec.default) return
  log.warning(`${limit} = ${value} is ignored: handshakes are not traced`)
}
