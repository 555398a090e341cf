import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { Resolver } from '@posthorn/dns/resolver'
import { captureLog } from '@posthorn/log/capture-log'
import type { FakeName } from '@posthorn/testing/fake-dns'
import { waitFor } from '@posthorn/testing/wait-for'
import type { SessionStore } from '@posthorn/tls/session-store'
import type { TlsrptRequest } from '@posthorn/wire/tlsrpt-protocol'
import { FAILURE, RECORD, SUCCESS, tlsReportSite } from './test/tls-report-site.ts'
import { TestWorld } from './test/test-world.ts'
import { TlsReports } from './tls-reports.ts'

const sent = 'status=sent'

t.test('a handshake that was good', async (t) => {
  const { deliver } = await tlsReportSite(t, { smtp_tls_security_level: 'may' })
  t.same(await deliver(), {
    fate: sent,
    line: SUCCESS,
    results: [
      {
        recipientDomain: 'a.test',
        record: RECORD,
        policies: [
          {
            type: 'no-policy-found',
            domain: 'a.test',
            strings: [],
            mxHostPatterns: [],
            isSuccess: true,
            failures: [],
          },
        ],
      },
    ],
  })
})

t.test('who gets no reports', async (t) => {
  const may = { smtp_tls_security_level: 'may' }
  const cases: [string, Record<string, string>, Record<string, FakeName>][] = [
    ['no record', may, { '_smtp._tls.a.test': { TXT: ['v=TLSRPTv2; x'] } }],
    ['two records', may, { '_smtp._tls.a.test': { TXT: [RECORD, RECORD.replace('tls@', 'x@')] } }],
    ['no answer', may, { '_smtp._tls.a.test': 'servfail' }],
    ['switched off', { ...may, smtp_tlsrpt_enable: 'no' }, {}],
    ['without TLS', { smtp_tls_policy_maps: 'static:none' }, {}],
  ]
  for (const [name, settings, names] of cases) {
    const { deliver } = await tlsReportSite(t, settings, { tls: {} }, names)
    t.same(await deliver(), { fate: sent, line: '', results: [] }, name)
  }
  const { deliver, dns, port } = await tlsReportSite(t, may)
  for (const nexthop of [`[mx.a.test]:${port}`, `[127.0.0.1]:${port}`]) {
    t.same(await deliver(nexthop), { fate: sent, line: '', results: [] }, nexthop)
  }
  t.notMatch(dns.queries.join('\n'), /_smtp\._tls/)
})

t.test('a resumed session: as it was the first time, or not at all', async (t) => {
  for (const skips of ['no', 'yes']) {
    const known = new Map<string, string>()
    const sessions: SessionStore = {
      policy: async () => Promise.resolve({ isCachable: true, timeoutSeconds: 3600 }),
      lookup: async (id) => Promise.resolve(known.get(id)),
      update: async (id, session) => {
        known.set(id, session)
        return Promise.resolve()
      },
      delete: async () => Promise.resolve(),
    }
    const { deliver } = await tlsReportSite(
      t,
      {
        smtp_tls_policy_maps: 'inline:{ {a.test:$port = may policy_type=sts} }',
        smtp_tls_CAfile: '$root',
        smtp_tlsrpt_skip_reused_handshakes: skips,
      },
      { tls: { certificate: { names: ['b.test'] } } },
      {},
      sessions,
    )
    const { line } = await deliver()
    t.equal(line, `${FAILURE}, failure_type=certificate_host_mismatch`)
    await waitFor(() => known.size > 0, 'a session to keep')
    t.equal((await deliver()).line, skips === 'no' ? line : '', `skips: ${skips}`)
  }
})

t.test('without a socket a warning, and no reports', async (t) => {
  const captured = captureLog()
  const world = await TestWorld.start(t, {
    smtp_tls_security_level: 'may',
    smtp_tlsrpt_enable: 'yes',
  })
  captured.restore()
  t.equal(world.client.tls?.reports, undefined)
  t.same(captured.lines, [
    'warning: smtp_tlsrpt_enable = yes has no effect: smtp_tlsrpt_socket_name is empty',
  ])
})

t.test('TlsReports.fromConfig(): smtp(8) and lmtp(8) each have their own', (t) => {
  const from = (settings: Record<string, string>, protocol: 'smtp' | 'lmtp'): unknown =>
    TlsReports.fromConfig(MainConfig.of(settings), protocol, new Resolver({ servers: [] }))
      ?.skipsResumed
  const lmtp = { lmtp_tlsrpt_enable: 'yes', lmtp_tlsrpt_socket_name: 'private/tlsrpt' }
  t.equal(from(lmtp, 'lmtp'), false)
  t.equal(from({ ...lmtp, lmtp_tlsrpt_skip_reused_handshakes: 'yes' }, 'lmtp'), true)
  t.equal(from(lmtp, 'smtp'), undefined)
  t.end()
})

t.test('TlsReports: what waits for DNS is limited, and does not hold up the end', async (t) => {
  const results: TlsrptRequest[] = []
  let answer: () => void = () => undefined
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  const reports = new TlsReports({
    resolver: {
      query: async (name: string) => {
        await answered
        const found = { name, text: RECORD, ttlSeconds: 1 }
        return { kind: 'found', name, records: [found], isSecure: false } as never
      },
    },
    client: { send: (result) => results.push(result), close: () => undefined },
    skipsResumed: false,
    hasTransitionalNames: false,
  })
  const host = { name: 'mx.a.test', address: '192.0.2.1', port: 25, preference: 0 }
  const applied = { type: 'sts', domain: 'A.test', strings: [], mxHostPatterns: [] } as const
  const captured = captureLog()
  for (let count = 0; count < 102; count++) {
    reports.tell({ element: 'A.test', domain: 'A.test', host }, applied, undefined)
  }
  answer()
  await reports.close()
  captured.restore()
  t.equal(results.length, 100)
  t.match(results[0], { recipientDomain: 'a.test', policies: [{ domain: 'a.test' }] })
  t.same(
    captured.lines.filter((line) => line.startsWith('warning')),
    ['warning: TLSRPT: results are dropped: 100 wait for an answer of DNS'],
  )
})
