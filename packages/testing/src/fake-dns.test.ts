import { Resolver } from '@posthorn/dns/resolver'
import t from 'tap'
import { FakeDns } from './fake-dns.ts'

t.test('FakeDns says which names are secure', async (t) => {
  const dns = await FakeDns.start({
    'signed.test': { isSecure: true, A: ['192.0.2.1'] },
    'mx.signed.test': { A: ['192.0.2.2'] },
    'insecure.signed.test': { isSecure: false, A: ['192.0.2.3'] },
    'alias.signed.test': { CNAME: 'unsigned.test' },
    'unsigned.test': { A: ['192.0.2.4'] },
  })
  t.teardown(async () => dns.close())
  const resolver = new Resolver({ servers: [dns.server] })
  const secure: Record<string, unknown> = {}
  for (const name of ['signed', 'mx.signed', 'insecure.signed', 'alias.signed', 'unsigned']) {
    const answer = await resolver.query(`${name}.test`, 'A', { dnssec: true })
    secure[name] = answer.kind === 'found' && answer.isSecure
  }
  t.same(secure, {
    signed: true,
    'mx.signed': true,
    'insecure.signed': false,
    'alias.signed': false,
    unsigned: false,
  })
})

t.test('FakeDns has the address that it is given', async (t) => {
  const dns = await FakeDns.start({ 'x.test': { A: ['192.0.2.1'] } }, { address: '127.3.0.53' })
  t.teardown(async () => dns.close())
  t.equal(dns.server.address, '127.3.0.53')
  const answer = await new Resolver({ servers: [dns.server] }).query('x.test', 'A')
  t.equal(answer.kind, 'found')
})
