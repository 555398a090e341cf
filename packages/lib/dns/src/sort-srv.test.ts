import t from 'tap'
import type { DnsRecord } from './dns-answer.ts'
import { sortSrv } from './sort-srv.ts'

function record(host: string, priority: number, weight: number): DnsRecord<'SRV'> {
  return { name: '_smtp._tcp.a.test', ttlSeconds: 300, host, port: 25, priority, weight }
}

function order(records: readonly DnsRecord<'SRV'>[], ...lots: number[]): string {
  const sorted = sortSrv(records, () => lots.shift() ?? 0)
  return sorted.map(({ host }) => host).join('')
}

t.test('sortSrv() goes by priority first', (t) => {
  t.equal(order([record('c', 20, 0), record('a', 0, 0), record('b', 10, 99)]), 'abc')
  t.same(sortSrv([]), [])
  t.end()
})

t.test('sortSrv() draws among equals, as many tickets as weight', (t) => {
  const records = [record('a', 0, 3), record('b', 0, 1), record('z', 0, 0)]
  // the lot is one of 0 to 4: z has 0, b has 1, a has 2 to 4
  t.equal(order(records, 0), 'zba', 'then b, the smallest, at 0')
  t.equal(order(records, 0.2), 'bza')
  for (const lot of [0.4, 0.6, 0.99]) t.equal(order(records, lot), 'azb', String(lot))
  t.end()
})

t.test('sortSrv(): all are there, once', (t) => {
  const records = Array.from({ length: 50 }, (_, at) => record(`h${at}`, at % 3, at % 7))
  const sorted = sortSrv(records)
  t.same(new Set(sorted), new Set(records))
  t.equal(sorted.length, records.length)
  t.end()
})
