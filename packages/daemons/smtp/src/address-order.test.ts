import fc from 'fast-check'
import t from 'tap'
import { orderAddresses, type OrderRules } from './address-order.ts'
import { removeLoops } from './loop-detection.ts'
import type { ServerHost } from './server-host.ts'

const rules: OrderRules = {
  isRandom: false,
  preferredFamily: 'any',
  isBalanced: true,
  addressLimit: 5,
}

function host(address: string, preference = 0): ServerHost {
  return { name: 'mx.test', address, port: 25, preference }
}

function many(ipv4: number, ipv6: number): ServerHost[] {
  return [
    ...Array.from({ length: ipv4 }, (_, at) => host(`192.0.2.${at + 1}`)),
    ...Array.from({ length: ipv6 }, (_, at) => host(`2001:db8::${at + 1}`)),
  ]
}

function families(hosts: readonly ServerHost[]): string {
  return hosts.map((one) => (one.address.includes(':') ? '6' : '4')).join('')
}

t.test('orderAddresses() sorts by preference, then by family', (t) => {
  const list = [host('2001:db8::1', 20), host('192.0.2.1', 10), host('2001:db8::2', 10)]
  const addresses = (order: OrderRules): string[] =>
    orderAddresses(list, order).map((one) => one.address)
  t.same(addresses(rules), ['192.0.2.1', '2001:db8::2', '2001:db8::1'])
  t.same(addresses({ ...rules, preferredFamily: 'ipv6' }), [
    '2001:db8::2',
    '192.0.2.1',
    '2001:db8::1',
  ])
  t.end()
})

t.test('orderAddresses() leaves room for both families', (t) => {
  t.equal(families(orderAddresses(many(10, 1), rules)), '44446')
  t.equal(families(orderAddresses(many(1, 10), rules)), '46666')
  t.equal(families(orderAddresses(many(10, 10), rules)), '44466')
  t.equal(families(orderAddresses(many(10, 10).reverse(), rules)), '66644')
  t.equal(families(orderAddresses(many(2, 2), rules)), '4466')
  t.equal(families(orderAddresses(many(3, 3), { ...rules, isBalanced: false })), '444666')
  t.end()
})

t.test('orderAddresses() shuffles within a preference only', (t) => {
  const preferences = fc.array(fc.nat(3), { maxLength: 20 })
  fc.assert(
    fc.property(preferences, (list) => {
      const hosts = list.map((preference, at) => host(`192.0.2.${at}`, preference))
      const ordered = orderAddresses(hosts, { ...rules, isRandom: true })
      t.same(new Set(ordered), new Set(hosts))
      t.ok(
        ordered.every(
          (one, at) => at === 0 || (ordered[at - 1]?.preference ?? 0) <= one.preference,
        ),
      )
    }),
    { numRuns: 50 },
  )
  t.end()
})

t.test('removeLoops() leaves servers that are preferred to us', (t) => {
  const own = new Set(['192.0.2.2'])
  const found = (hosts: ServerHost[], isFromMx = true, bestPreference = 10) =>
    ({ kind: 'found', hosts, isFromMx, bestPreference }) as const
  const others = [host('192.0.2.1', 10), host('192.0.2.2', 20), host('192.0.2.3', 20)]
  t.match(removeLoops(found(others), 'a.test', own), {
    hosts: [{ address: '192.0.2.1' }],
    isFinal: true,
  })
  t.match(removeLoops(found(others), 'a.test', new Set()), { hosts: others, isFinal: false })
  t.match(removeLoops(found([host('192.0.2.2', 10)]), 'a.test', own), {
    failure: { dsn: '5.4.6', reason: 'mail for a.test loops back to myself' },
  })
  t.match(removeLoops(found([host('192.0.2.2', 20)]), 'a.test', own), {
    failure: { dsn: '4.4.4', reason: 'unable to find primary relay for a.test' },
  })
  t.match(removeLoops(found([host('192.0.2.2')], false, 0), 'h.test', own), {
    failure: { dsn: '5.4.6', reason: 'mail for h.test loops back to myself' },
  })
  t.end()
})
