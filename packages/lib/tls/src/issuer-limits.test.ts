import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { children } from './der.ts'
import { findLimitFault } from './issuer-limits.ts'
import { makeCertificate, type CertificateWishes } from './test/certificate-maker.ts'

/** The fault of a chain of authorities, the highest first, with a server below. */
function fault(
  authorities: Partial<CertificateWishes>[],
  server: Partial<CertificateWishes> = {},
): string {
  let issuer = makeCertificate({ subject: { CN: 'Root' }, isAuthority: true })
  const path = []
  for (const [at, wishes] of authorities.entries()) {
    issuer = makeCertificate({ subject: { CN: `CA ${at}` }, isAuthority: true, issuer, ...wishes })
    path.unshift(issuer)
  }
  const dnsNames = ['mx.good.test']
  path.unshift(makeCertificate({ subject: { CN: 'x' }, dnsNames, issuer, ...server }))
  const found = findLimitFault(path.map(({ pem }) => new X509Certificate(pem)))
  return found === undefined ? 'none' : `${found.depth}: ${found.text}`
}

t.test('findLimitFault() heeds the limits of issuers', (t) => {
  t.equal(fault([]), 'none')
  t.equal(fault([{}, {}]), 'none')
  t.equal(fault([{ pathLength: 0 }]), 'none')
  t.equal(fault([{ pathLength: 1 }, {}]), 'none')
  t.equal(fault([{ pathLength: 0 }, {}]), '2: num=25:path length constraint exceeded')
  t.equal(fault([{ cannotSign: true }]), '1: num=79:invalid CA certificate')
  t.equal(fault([{ hasStrangeExtension: true }]), '1: num=34:unhandled critical extension')
  t.equal(fault([{}], { hasStrangeExtension: true }), '0: num=34:unhandled critical extension')
  t.end()
})

t.test('findLimitFault() heeds constraints of names', (t) => {
  const PERMITTED = '0: num=47:permitted subtree violation'
  const EXCLUDED = '0: num=48:excluded subtree violation'
  t.equal(fault([{ permitted: 'good.test' }]), 'none')
  t.equal(fault([{ permitted: 'Good.Test' }]), 'none')
  t.equal(fault([{ permitted: '.good.test' }]), 'none')
  t.equal(fault([{ permitted: '.mx.good.test' }]), PERMITTED)
  t.equal(fault([{ permitted: 'ood.test' }]), PERMITTED)
  t.equal(fault([{ permitted: 'other.test' }, {}]), PERMITTED)
  t.equal(fault([{ excluded: 'other.test' }]), 'none')
  t.equal(fault([{ excluded: 'good.test' }]), EXCLUDED)
  t.equal(fault([{ permitted: 'good.test', excluded: 'mx.good.test' }]), EXCLUDED)
  t.equal(fault([{ permitted: 'good.test' }], { dnsNames: ['mx.good.test', 'x.test'] }), PERMITTED)
  const cnOnly = { subject: { CN: 'mx.other.test' }, dnsNames: [] }
  t.equal(fault([{ permitted: 'good.test' }], cnOnly), PERMITTED, 'a common name counts as well')
  t.end()
})

t.test('children() reads DER, and throws a RangeError for anything else', (t) => {
  t.same(children(Buffer.from('020101300302010a', 'hex')), [
    { tag: 2, content: Buffer.of(1) },
    { tag: 0x30, content: Buffer.from('02010a', 'hex') },
  ])
  t.equal(
    children(Buffer.concat([Buffer.from('0482012c', 'hex'), Buffer.alloc(300)]))[0]?.content.length,
    300,
  )
  for (const hex of ['02', '0202ff', '0280', '0285010000000000', '1f0100', '0484ffffffff']) {
    t.throws(() => children(Buffer.from(hex, 'hex')), RangeError, hex)
  }
  fc.assert(
    fc.property(fc.uint8Array(), (noise) => {
      try {
        return children(Buffer.from(noise)).every(({ content }) => content.length <= noise.length)
      } catch (error) {
        return error instanceof RangeError
      }
    }),
  )
  t.end()
})
