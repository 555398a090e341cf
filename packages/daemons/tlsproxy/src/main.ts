#!/usr/bin/env node
/**
 * tlsproxy(8) - TLS on behalf of others
 *
 * A process that gives its connection away, to be reused by another, cannot give away what TLS knows about it. So it hands
 * the connection to tlsproxy(8) and keeps a plaintext one to tlsproxy(8), which can be passed on.
 *
 *     smtp(8) ---- plaintext ---- tlsproxy(8) ---- TLS ---- server
 *        \-- scache(8) -- another smtp(8) --/
 *
 *     postscreen(8) ---- plaintext ---- tlsproxy(8) ---- TLS ---- client
 *
 * Serves: tlsproxy_protocol on private/tlsproxy: the client role, and the server role for postscreen(8).
 * Trusts: its clients, who name files to read and settings; nothing that comes from the network.
 * Holds:  the keys of TLS clients and servers; sessions, each with at most 64 KB on its way in either direction.
 * Needs:  process limit 0. Reads keys as root, then runs unprivileged, may run chrooted.
 * Source: Postfix 3.7 tlsproxy(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { fatal } from '@posthorn/log/log'
import { openService } from './open-service.ts'
import type { TlsproxyService } from './tlsproxy-service.ts'

let opened: TlsproxyService | undefined

runService({
  program: 'tlsproxy',
  kind: 'event',
  requires: ['unlimited'],
  // one process serves any number of sessions, and each start reads all the keys again
  usesLimit: 'off',
  watchdogSeconds: (config) => config.seconds('tlsproxy_watchdog_timeout'),
  async beforeJail({ args, config }) {
    if (args[0] !== undefined) fatal(`unexpected command-line argument: ${args[0]}`)
    opened = await openService(config)
  },
  async start({ config }) {
    return opened ?? openService(config)
  },
})
