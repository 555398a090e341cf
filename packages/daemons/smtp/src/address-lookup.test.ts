import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { Resolver } from '@posthorn/dns/resolver'
import { captureLog } from '@posthorn/log/capture-log'
import { FakeDns } from '@posthorn/testing/fake-dns'
import { AddressLookup } from './address-lookup.ts'
import { readClientOptions } from './client-options.ts'
import { DnsReplyFilter } from './dns-reply-filter.ts'

type Zone = Parameters<typeof FakeDns.start>[0]

async function lookupIn(
  test: { teardown: (undo: () => Promise<void>) => unknown },
  zone: Zone,
  settings: Record<string, string> = {},
  options?: Parameters<typeof FakeDns.start>[1],
): Promise<AddressLookup> {
  const dns = await FakeDns.start(zone, options)
  test.teardown(async () => dns.close())
  const config = MainConfig.of({ inet_protocols: 'ipv4', ...settings })
  const resolver = new Resolver({ servers: [dns.server], timeoutMs: 200 })
  const client = readClientOptions(config, 'smtp', 'smtp')
  return new AddressLookup(resolver, client, DnsReplyFilter.open(config, 'smtp'))
}

const dnssec = { smtp_dns_support_level: 'dnssec' }

const zone: Zone = {
  'd.test': { MX: [[10, 'mx.test']] },
  'mx.test': { CNAME: 'host.test' },
  'host.test': { A: ['192.0.2.1'] },
  '_25._tcp.host.test': { TLSA: [[3, 1, 1, 'ab80']] },
  '_25._tcp.mx.test': { CNAME: '_25._tcp.host.test' },
  '_26._tcp.host.test': 'servfail',
}

t.test('AddressLookup says what is known of a server, for DANE', async (t) => {
  const facts = { queryName: 'mx.test', replyName: 'host.test' }
  for (const isSecure of [true, false]) {
    const lookup = await lookupIn(t, zone, dnssec, { isSecure })
    t.match(await lookup.findServers('d.test', 25), {
      hosts: [
        { name: 'mx.test', dns: { ...facts, isMxSecure: isSecure, isAddressSecure: isSecure } },
      ],
    })
    t.match(await lookup.findHost('host.test', 25), {
      hosts: [{ dns: { queryName: 'host.test', isMxSecure: true, isAddressSecure: isSecure } }],
    })
    t.match(await lookup.findHost('192.0.2.1', 25), { hosts: [{ dns: undefined }] })
  }
  const without = await lookupIn(t, zone, {}, { isSecure: true })
  t.match(await without.findServers('d.test', 25), { hosts: [{ dns: undefined }] })
})

t.test('AddressLookup.findTlsa() finds records, nothing, or nothing out', async (t) => {
  const records = [{ usage: 3, selector: 1, matchingType: 1, data: '\xab\x80' }]
  for (const isSecure of [true, false]) {
    const lookup = await lookupIn(t, zone, dnssec, { isSecure })
    for (const host of ['host.test', 'mx.test']) {
      t.same(await lookup.findTlsa(host, 25), { kind: 'found', records, isSecure }, host)
    }
    t.same(await lookup.findTlsa('other.test', 25), { kind: 'missing', isSecure })
    t.same(await lookup.findTlsa('host.test', 26), {
      kind: 'failed',
      text:
        'Host or domain name not found. Name service error for name=_26._tcp.host.test type=TLSA: ' +
        'Host not found, try again',
    })
  }
})

t.test('smtp_dns_reply_filter sees records of every type', async (t) => {
  const records: Zone = {
    ...zone,
    '_submission._tcp.d.test': { SRV: [[1, 2, 587, 'mx.test']] },
  }
  const ignoreAll = { smtp_dns_reply_filter: 'static:IGNORE', use_srv_lookup: 'submission' }
  const lookup = await lookupIn(t, records, ignoreAll)
  const captured = captureLog()
  t.teardown(() => {
    captured.restore()
  })
  const nexthop = { element: 'd.test', host: 'd.test', service: 'submission', port: 587 }
  const filtered = { failure: { dsn: '4.7.0', reason: /: DNS reply filter drops all results$/ } }
  t.match(await lookup.findServers('d.test', 25), filtered)
  t.match(await lookup.findHost('host.test', 25), filtered)
  t.match(await lookup.findService({ ...nexthop, isBracketed: false }), filtered)
  t.match(await lookup.findTlsa('host.test', 25), {
    kind: 'failed',
    text: 'Error looking up name=_25._tcp.host.test type=TLSA: DNS reply filter drops all results',
  })
  t.same(captured.lines, [
    'ignoring DNS RR: d.test. 300 IN MX 10 mx.test.',
    'ignoring DNS RR: host.test. 300 IN A 192.0.2.1',
    'ignoring DNS RR: _submission._tcp.d.test. 300 IN SRV 1 2 587 mx.test.',
    'ignoring DNS RR: _25._tcp.host.test. 300 IN TLSA 3 1 1 ab80',
  ])
})
