/**
 * sts-policy.test - policy files: those of RFC 8461, those with more in them, those that are none
 */
import fc from 'fast-check'
import t from 'tap'
import { PolicyError } from './mtasts-error.ts'
import { isMxPattern, parsePolicy, policyLines } from './sts-policy.ts'

const good = 'version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: 604800\n'

function fault(text: string): string {
  try {
    return JSON.stringify(parsePolicy(text))
  } catch (error) {
    if (!(error instanceof PolicyError) || error.failure !== 'sts-policy-invalid') throw error
    return error.message.replace('the policy is invalid: ', '')
  }
}

t.test('parsePolicy() reads the example of RFC 8461 3.2', (t) => {
  const text =
    'version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n' +
    'mx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n'
  t.same(parsePolicy(text), {
    mode: 'enforce',
    mxPatterns: ['mail.example.com', '*.example.net', 'backupmx.example.com'],
    maxAgeSeconds: 604_800,
  })
  t.end()
})

t.test('parsePolicy() is as lenient as the grammar', (t) => {
  const policy = { mode: 'testing', mxPatterns: ['mx.example.com'], maxAgeSeconds: 60 }
  for (const text of [
    'max_age:60\nmx:mx.example.com\nmode:testing\nversion:STSv1',
    'version: STSv1  \t\nmode:\t testing\nmx: MX.Example.com\nmx: mx.example.com\nmax_age: 60\n\n\n',
    // RFC 8461 3.2: of what is not mx, all but the first are ignored
    'version: STSv1\nmode: testing\nmode: none\nmx: mx.example.com\nmax_age: 60\nmax_age: x\nversion: 2',
    // and what nobody knows yet
    'version: STSv1\nx-note_1.2: caf\u00c3\u00a9 {x}: y\nmode: testing\nmx: mx.example.com\nmax_age: 0060',
  ]) {
    t.same(parsePolicy(text), policy, text)
  }
  const noMx = parsePolicy('version: STSv1\nmode: none\nmax_age: 1')
  t.same(noMx, { mode: 'none', mxPatterns: [], maxAgeSeconds: 1 })
  t.equal(parsePolicy(good.replace('604800', '4294967295')).maxAgeSeconds, 31_557_600)
  t.equal(parsePolicy(good.replace('604800', '0')).maxAgeSeconds, 0)
  t.end()
})

t.test('parsePolicy() refuses what is no policy', (t) => {
  for (const [text, said] of [
    ['', 'no version'],
    ['<html><body>Not found</body></html>', 'a line that is no field'],
    [`\u00ef\u00bb\u00bf${good}`, 'a line that is no field'],
    [good.replace('version: STSv1\n', ''), 'no version'],
    [good.replace('STSv1', 'stsv1'), 'unknown version'],
    [good.replace('STSv1', 'STSv2'), 'unknown version'],
    [good.replace('mode: enforce\n', ''), 'no mode'],
    [good.replace('enforce', 'Enforce'), 'unknown mode'],
    [good.replace('enforce', ''), 'unknown mode'],
    [good.replace('max_age: 604800\n', ''), 'no max_age'],
    [good.replace('604800', '-1'), 'bad max_age'],
    [good.replace('604800', '1w'), 'bad max_age'],
    [good.replace('604800', '12345678901'), 'bad max_age'],
    [good.replace('mx: mail.example.com\n', ''), 'no mx'],
    [good.replace('enforce', 'testing').replace('mx: mail.example.com\n', ''), 'no mx'],
    [good.replace('mail.example.com', ''), 'bad mx'],
    [good.replace('mail.example.com', '*'), 'bad mx'],
    [good.replace('mail.example.com', '*.*.example.com'), 'bad mx'],
    [good.replace('mail.example.com', '.example.com'), 'bad mx'],
    [good.replace('mail.example.com', 'mail.example.com policy_type=none'), 'bad mx'],
    [good.replace('mail.example.com', 'a:b'), 'bad mx'],
    [good.replace('mail.example.com', '192.0.2.1'), 'bad mx'],
    [good.replace('mode:', ' mode:'), 'a line that is no field'],
    [good.replace('\nmode', '\rmode'), 'a line that is no field'],
    [`${good}${'x'.repeat(33)}: 1`, 'a line that is no field'],
    [good + Array.from({ length: 100 }, (_, at) => `mx: m${at}.test\n`).join(''), 'too many mx'],
    [
      good +
        Array.from({ length: 40 }, (_, at) => `mx: ${'abcdefghi.'.repeat(22)}m${at}\n`).join(''),
      'too many mx',
    ],
  ] as const) {
    t.equal(fault(text), said, text)
  }
  t.end()
})

t.test('policyLines() is read as the same policy', (t) => {
  const label = fc.stringMatching(/^[a-z0-9]{1,10}$/)
  const pattern = fc
    .tuple(fc.boolean(), fc.array(label, { minLength: 1, maxLength: 3 }))
    .map(([isWild, labels]) => `${isWild ? '*.' : ''}${labels.join('.')}.test`)
  const policies = fc.record({
    mode: fc.constantFrom('enforce', 'testing'),
    mxPatterns: fc.uniqueArray(pattern, { minLength: 1, maxLength: 20 }),
    maxAgeSeconds: fc.nat(31_557_600),
  })
  fc.assert(
    fc.property(policies, (policy) => {
      const again = parsePolicy(policyLines(policy).join('\r\n'))
      return JSON.stringify(again) === JSON.stringify(policy)
    }),
  )
  t.end()
})

t.test('parsePolicy() takes or refuses any octets, and what it takes is safe to pass on', (t) => {
  const piece = fc.oneof(
    fc.constantFrom('version: STSv1\n', 'mode: enforce\n', 'max_age: 5\n', 'mx: a.test\n', 'mx: '),
    fc.string({ unit: 'binary-ascii' }),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      try {
        return parsePolicy(pieces.join('')).mxPatterns.every(isMxPattern)
      } catch (error) {
        return error instanceof PolicyError
      }
    }),
  )
  t.end()
})
