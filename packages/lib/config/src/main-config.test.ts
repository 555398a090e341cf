import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ConfigError, MainConfig } from './main-config.ts'

function parse(source: string, overrides: [string, string][] = []): MainConfig {
  const options = { directory: '/etc/test', overrides, program: 'smtpd', service: 'submission' }
  return MainConfig.parse(source, options)
}

/** The fatal message and the warnings before it. */
function fault(read: () => unknown): string[] {
  try {
    read()
    return []
  } catch (error) {
    if (error instanceof ConfigError) return [...error.warnings, error.message]
    throw error
  }
}

t.test('MainConfig: overrides win over main.cf, main.cf over defaults', (t) => {
  const config = parse('hopcount_limit = 20\nmyorigin = a\n', [['myorigin', 'b']])
  t.equal(config.integer('hopcount_limit'), 20)
  t.equal(config.text('myorigin'), 'b')
  t.equal(config.integer('bounce_size_limit'), 50_000)
  t.equal(config.isSet('myorigin'), true)
  t.equal(config.isSet('relayhost'), false)
  t.equal(config.lineOf('myorigin'), 2)
  t.end()
})

t.test('MainConfig expands $name, recursively, with every default', (t) => {
  const config = parse('mydomain = example.com\nmyhostname = mx.$mydomain\nown = <$myorigin>\n')
  t.equal(config.text('myorigin'), 'mx.example.com')
  t.same(config.list('mydestination'), ['mx.example.com', 'localhost.example.com', 'localhost'])
  t.equal(config.evaluate('$own ${unset?x}${unset:y}'), '<mx.example.com> y')
  t.equal(config.text('smtpd_banner'), 'mx.example.com ESMTP Posthorn')
  t.equal(config.evaluate('$process_name $service_name'), 'smtpd submission')
  t.equal(config.evaluate('$config_directory'), '/etc/test')
  t.end()
})

t.test('MainConfig keeps raw parameters as they are', (t) => {
  const config = parse('forward_path = $home/.forward\nluser_relay = $local@example.com\n')
  t.equal(config.text('forward_path'), '$home/.forward')
  t.equal(config.text('luser_relay'), '$local@example.com')
  t.end()
})

t.test('MainConfig computes host names', (t) => {
  const name = hostname()
  const full = name.includes('.') ? name : `${name}.localdomain`
  t.equal(parse('').text('myhostname'), full)
  t.equal(parse('').text('mydomain'), full.slice(full.indexOf('.') + 1))
  t.equal(parse('myhostname = a.b.c').text('mydomain'), 'b.c')
  t.equal(parse('myhostname = mx').text('mydomain'), 'localdomain')
  t.same(
    fault(() => parse('myhostname = mx.$mydomain').text('mydomain')),
    ['bad string length 0 < 1: mydomain = '],
  )
  t.match(parse('').text('mynetworks'), /127\.0\.0\./)
  t.equal(parse('inet_protocols =').text('mynetworks'), '')
  t.end()
})

t.test('MainConfig: defaults follow compatibility_level', (t) => {
  t.equal(parse('').boolean('append_dot_mydomain'), true)
  t.equal(parse('compatibility_level = 1').boolean('append_dot_mydomain'), false)
  t.equal(parse('compatibility_level = 3.5').text('smtpd_tls_fingerprint_digest'), 'md5')
  t.equal(parse('compatibility_level = 3.10').text('smtpd_tls_fingerprint_digest'), 'sha256')
  t.equal(parse('compatibility_level = 1.9').text('relay_domains'), parse('').text('mydestination'))
  t.end()
})

t.test('MainConfig converts values, or says in the words of Postfix why not', (t) => {
  const cases: [string, (config: MainConfig) => unknown, unknown][] = [
    ['soft_bounce = YES', (config) => config.boolean('soft_bounce'), true],
    [
      'soft_bounce = true',
      (config) => config.boolean('soft_bounce'),
      'bad boolean configuration: soft_bounce = true',
    ],
    [
      'soft_bounce =',
      (config) => config.boolean('soft_bounce'),
      'bad boolean configuration: soft_bounce = ',
    ],
    ['hopcount_limit = +7', (config) => config.integer('hopcount_limit'), 7],
    [
      'hopcount_limit = 7x',
      (config) => config.integer('hopcount_limit'),
      'bad numerical configuration: hopcount_limit = 7x',
    ],
    [
      'hopcount_limit = 0x7',
      (config) => config.integer('hopcount_limit'),
      'bad numerical configuration: hopcount_limit = 0x7',
    ],
    [
      'hopcount_limit = 2147483648',
      (config) => config.integer('hopcount_limit'),
      'bad numerical configuration: hopcount_limit = 2147483648',
    ],
    [
      'hopcount_limit = 0',
      (config) => config.integer('hopcount_limit'),
      'invalid hopcount_limit parameter value 0 < 1',
    ],
    [
      'delay_logging_resolution_limit = 9',
      (config) => config.integer('delay_logging_resolution_limit'),
      'invalid delay_logging_resolution_limit parameter value 9 > 6',
    ],
    [
      'message_size_limit = 9999999999',
      (config) => config.integer('message_size_limit'),
      9_999_999_999,
    ],
    ['daemon_timeout = 5m30s', (config) => config.seconds('daemon_timeout'), 300],
    ['daemon_timeout = 90', (config) => config.seconds('daemon_timeout'), 90],
    ['bounce_queue_lifetime = 2', (config) => config.seconds('bounce_queue_lifetime'), 172_800],
    [
      'daemon_timeout = 1.5h',
      (config) => config.seconds('daemon_timeout'),
      'parameter daemon_timeout: bad time value or unit: 1.5h',
    ],
    [
      'daemon_timeout = 5 m',
      (config) => config.seconds('daemon_timeout'),
      'parameter daemon_timeout: bad time value or unit: 5 m',
    ],
    [
      'daemon_timeout = 5M',
      (config) => config.seconds('daemon_timeout'),
      'parameter daemon_timeout: bad time value or unit: 5M',
    ],
    [
      'daemon_timeout = -5',
      (config) => config.seconds('daemon_timeout'),
      'parameter daemon_timeout: bad time value or unit: -5',
    ],
    [
      'daemon_timeout = 9999w',
      (config) => config.seconds('daemon_timeout'),
      'parameter daemon_timeout: bad time value or unit: 9999w',
    ],
    [
      'daemon_timeout = 0',
      (config) => config.seconds('daemon_timeout'),
      'invalid daemon_timeout: 0 (min 1)',
    ],
    [
      'mail_owner =',
      (config) => config.text('mail_owner'),
      'bad string length 0 < 1: mail_owner = ',
    ],
    ['smtp_tls_security_level = May', (config) => config.keyword('smtp_tls_security_level'), 'may'],
    ['smtp_tls_security_level =', (config) => config.keyword('smtp_tls_security_level'), ''],
    [
      'smtp_address_preference = ipv5',
      (config) => config.keyword('smtp_address_preference'),
      'bad smtp_address_preference value: ipv5',
    ],
    [
      'notify_classes = bounce, 2bounce bounce',
      (config) => [...config.flags('notify_classes')],
      ['bounce', '2bounce'],
    ],
    [
      'notify_classes = Bounce',
      (config) => config.flags('notify_classes'),
      'unknown notify_classes value "Bounce" in "Bounce"',
    ],
    [
      'smtp_discard_ehlo_keywords = SIZE, foo',
      (config) => [...config.flags('smtp_discard_ehlo_keywords')],
      ['size'],
    ],
    [
      'mynetworks_style = subnets',
      (config) => config.text('mynetworks'),
      'unknown mynetworks mask style value "subnets" in "subnets"',
    ],
    [
      'myorigin = ${',
      (config) => config.text('myorigin'),
      'dictionary mail_dict: macro processing error',
    ],
  ]
  for (const [line, read, wanted] of cases) {
    const [message] = fault(() => read(parse(line))).slice(-1)
    t.same(message ?? read(parse(line)), wanted, line)
  }
  t.end()
})

t.test('MainConfig says where a bad value stands', (t) => {
  const config = parse('\nsoft_bounce =\n  maybe\n')
  t.same(
    fault(() => config.boolean('soft_bounce')),
    [
      '/etc/test/main.cf, line 2: soft_bounce = maybe',
      'bad boolean configuration: soft_bounce = maybe',
    ],
  )
  t.end()
})

t.test('MainConfig: names have their type', (t) => {
  const config = parse('')
  // @ts-expect-error a boolean parameter is no integer
  t.throws(() => config.integer('soft_bounce'), ConfigError)
  // @ts-expect-error a time is no integer: its unit counts
  t.throws(() => config.integer('daemon_timeout'), ConfigError)
  // @ts-expect-error nobody knows this name
  config.text('hopcount_limits')
  t.end()
})

t.test('MainConfig: lines of main.cf', (t) => {
  const config = parse('a = 1\na = 2\nb=x\nb = x\n a\n c = {x = y} =\nd = 1\0 2\n')
  t.equal(config.find('a'), '2')
  t.equal(config.find('b'), 'x a c = {x = y} =')
  t.equal(config.find('d'), '1')
  t.equal(config.find('nobody'), undefined)
  t.same(config.warnings, [
    '/etc/test/main.cf, line 2: overriding earlier entry: a=1',
    '/etc/test/main.cf, line 4: overriding earlier entry: b=x',
  ])
  const words = fault(() => parse('\ntwo words = x\n'))
  t.same(words, [`/etc/test/main.cf, line 2: missing '=' after attribute name: "two words = x"`])
  t.same(
    fault(() => parse('= x')),
    ['/etc/test/main.cf, line 1: missing attribute name: "= x"'],
  )
  t.end()
})

t.test('MainConfig: parameters of a transport fall back', (t) => {
  const config = parse(
    'slow_destination_concurrency_limit = 1\ndefault_destination_rate_delay = 2s\nslow_delivery_slot_discount = 101\n',
  )
  t.equal(config.transportInteger('slow', '_destination_concurrency_limit'), 1)
  t.equal(config.transportInteger('fast', '_destination_concurrency_limit'), 20)
  t.equal(config.transportInteger('local', '_destination_concurrency_limit'), 2)
  t.equal(config.transportInteger('local', '_destination_recipient_limit'), 1)
  t.equal(config.transportSeconds('fast', '_destination_rate_delay'), 2)
  t.equal(config.transportText('fast', '_destination_concurrency_positive_feedback'), '1')
  const bad = fault(() => config.transportInteger('slow', '_delivery_slot_discount'))
  t.match(bad.at(-1), 'invalid slow_delivery_slot_discount parameter value 101 > 100')
  t.end()
})

t.test('MainConfig.withOverrides() is the same main.cf for another service', (t) => {
  const config = parse('syslog_name = postfix/$service_name\n')
  const other = config.withOverrides({ overrides: [['myorigin', 'x']], service: 'relay' })
  t.equal(other.text('syslog_name'), 'postfix/relay')
  t.equal(other.text('myorigin'), 'x')
  t.equal(config.text('syslog_name'), 'postfix/submission')
  t.end()
})

t.test('MainConfig: myorigin may name a file whose first line it is', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'origin-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const path = join(directory, 'mailname')
  writeFileSync(path, '  Example.TEST \nsecond\n')
  const config = MainConfig.of({ myorigin: path })
  t.equal(config.origin(), 'Example.TEST')
  t.equal(config.text('myorigin'), path, 'as $myorigin')
  writeFileSync(path, 'a b\n')
  t.throws(() => MainConfig.of({ myorigin: path }).origin(), {
    message: 'myorigin parameter setting must not contain multiple values: a b',
  })
  t.equal(config.origin(), 'Example.TEST', 'read once')
  t.equal(MainConfig.of({ myhostname: 'mx.example.test' }).origin(), 'mx.example.test')
  t.end()
})

t.test('MainConfig.load() reads the file, or says why not', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-config-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const missing = fault(() => MainConfig.load({ directory }))
  t.same(missing, [`open ${directory}/main.cf: No such file or directory`])
  writeFileSync(join(directory, 'main.cf'), 'mail_name = caf\xe9\n', 'latin1')
  t.equal(MainConfig.load({ directory }).text('mail_name'), 'caf\xe9')
  t.end()
})

t.test('a keyword is one in whatever order it is asked for', (t) => {
  const config = MainConfig.of({ smtp_tls_security_level: 'May' })
  t.equal(config.text('smtp_tls_security_level'), 'May')
  t.equal(config.keyword('smtp_tls_security_level'), 'may')
  t.equal(config.text('smtp_tls_security_level'), 'May')
  t.end()
})
