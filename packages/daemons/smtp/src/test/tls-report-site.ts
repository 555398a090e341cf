/**
 * tls-report-site - for tests: a destination that wants reports of TLS (RFC 8460), and a collector that gets them
 */
/* eslint-disable n/no-sync -- a test waits for nobody else */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { captureLog } from '@posthorn/log/capture-log'
import { DatagramSocket } from '@posthorn/native/datagram'
import { FakeDns, type FakeName } from '@posthorn/testing/fake-dns'
import { ScriptedPeer, type PeerOptions } from '@posthorn/testing/scripted-peer'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { rootPem } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import type { SessionStore } from '@posthorn/tls/session-store'
import { parseTlsrptDatagram, type TlsrptRequest } from '@posthorn/wire/tlsrpt-protocol'
import { TestWorld } from './test-world.ts'

export interface TlsReportSite {
  deliver: (nexthop?: string) => Promise<{
    /** `status=sent`, and the line about the result. */
    fate: string
    line: string
    results: TlsrptRequest[]
  }>
  port: number
  dns: FakeDns
}

export const RECORD = 'v=TLSRPTv1; rua=mailto:tls@a.test'

/** a.test has mx.a.test, which is the peer. `$port` and `$root` in the settings are filled in. */
export async function tlsReportSite(
  test: { teardown: (undo: () => unknown) => unknown },
  settings: Record<string, string>,
  script: PeerOptions = { tls: {} },
  names: Record<string, FakeName> = {},
  sessions?: SessionStore,
): Promise<TlsReportSite> {
  const peer = await ScriptedPeer.start(script)
  test.teardown(async () => peer.close())
  const dns = await FakeDns.start(
    {
      'a.test': { MX: [[10, 'mx.a.test']], isSecure: true },
      'mx.a.test': { A: ['127.0.0.1'], isSecure: true },
      '_smtp._tls.a.test': { TXT: ['something else', RECORD] },
      ...Object.fromEntries(
        Object.entries(names).map(([name, value]) => [
          name.replace('$port', String(peer.port)),
          value,
        ]),
      ),
    },
    {},
  )
  test.teardown(async () => dns.close())
  const directory = temporaryDirectory(test)
  const root = join(directory, 'root.pem')
  writeFileSync(root, rootPem())
  const filled = Object.entries(settings).map(([name, value]) => [
    name,
    value.replaceAll('$port', String(peer.port)).replaceAll('$root', root),
  ])
  const socket = join(directory, 'results')
  const receiver = DatagramSocket.bind(socket)
  test.teardown(() => {
    receiver.close()
  })
  const received: TlsrptRequest[] = []
  receiver.onMessage((octets) => received.push(parseTlsrptDatagram(octets)))
  const world = await TestWorld.start(
    test,
    {
      dns_nameservers: dns.nameservers,
      smtp_dns_resolver_options: '',
      smtp_tlsrpt_enable: 'yes',
      smtp_tlsrpt_socket_name: socket,
      ...(Object.fromEntries(filled) as Record<string, string>),
    },
    { ...(sessions && { sessions }) },
  )
  const { reports } = world.client.tls ?? {}
  return {
    port: peer.port,
    dns,
    deliver: async (nexthop = `a.test:${peer.port}`) => {
      received.length = 0
      const { log } = await world.deliver({ nexthop })
      const captured = captureLog()
      await reports?.settle()
      captured.restore()
      const line = [...log, ...captured.lines].find((one) => one.startsWith('TLSRPT: ')) ?? ''
      if (line !== '') await waitFor(() => received.length > 0, 'a datagram')
      return {
        fate: /status=\w+/.exec(log.at(-1) ?? '')?.[0] ?? '',
        line,
        results: [...received],
      }
    },
  }
}

export const SUCCESS = 'TLSRPT: status=success, domain=a.test, receiving_mx=mx.a.test[127.0.0.1]'
export const FAILURE = 'TLSRPT: status=failure, domain=a.test, receiving_mx=mx.a.test[127.0.0.1]'
