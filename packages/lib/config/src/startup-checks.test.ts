import { userInfo } from 'node:os'
import t from 'tap'
import { ConfigError, MainConfig } from './main-config.ts'
import { checkStartup } from './startup-checks.ts'

/** Users that every system has; the group differs from both of theirs. */
const sane = {
  compatibility_level: '3.7',
  myhostname: 'mx.example.com',
  default_privs: 'nobody',
  mail_owner: 'daemon',
  setgid_group: 'mail',
}

function check(settings: Record<string, string>): string[] {
  try {
    return checkStartup(MainConfig.of({ ...sane, ...settings }, '/etc/test'))
  } catch (error) {
    if (error instanceof ConfigError) return [...error.warnings, error.message]
    throw error
  }
}

const file = 'file /etc/test/main.cf:'

t.test('checkStartup() finds what cannot work', (t) => {
  t.same(check({}), [])
  const cases: [Record<string, string>, string][] = [
    [{ compatibility_level: 'x' }, 'malformed compatibility level syntax: "x"'],
    [{ syslog_facility: 'foo' }, `${file} parameter syslog_facility: unrecognized value: foo`],
    [{ inet_protocols: 'ipv5' }, 'unknown inet_protocols value "ipv5" in "ipv5"'],
    [{ myhostname: 'a..b' }, `${file} parameter myhostname: bad parameter value: a..b`],
    [{ mydomain: '-x' }, `${file} parameter mydomain: bad parameter value: -x`],
    [
      { relayhost: 'MX.example.com' },
      'myhostname and relayhost parameter settings must not be identical: mx.example.com',
    ],
    [{ ipc_timeout: 'banana' }, 'parameter ipc_timeout: bad time value or unit: banana'],
    [{ max_idle: '-5s' }, 'parameter max_idle: bad time value or unit: -5s'],
    [{ soft_bounce: 'maybe' }, 'bad boolean configuration: soft_bounce = maybe'],
    [{ max_use: 'many' }, 'bad numerical configuration: max_use = many'],
    [{ myorigin: 'a b' }, 'myorigin parameter setting must not contain multiple values: a b'],
    [{ myorigin: '/dev/null' }, 'myorigin file /dev/null is empty'],
    [{ myorigin: '/no/file' }, '/no/file: cannot open file: No such file or directory'],
    [
      { default_verp_delimiters: 'ab' },
      `${file} parameters default_verp_delimiters and verp_delimiter_filter: bad first VERP delimiter character`,
    ],
  ]
  for (const [settings, wanted] of cases) t.equal(check(settings).at(-1), wanted)
  t.same(check({ myhostname: 'a..b' })[0], 'valid_hostname: misplaced delimiter: a..b')
  t.same(check({ known_tcp_ports: 'lmtp=24,  foo=bar, x' }), [
    'known_tcp_ports: in "  foo=bar": non-numerical service port',
    'known_tcp_ports: in " x" is not in "name = value" form',
  ])
  t.end()
})

t.test('checkStartup() judges users and groups', (t) => {
  const cases: [Record<string, string>, string][] = [
    [
      { default_privs: 'root' },
      `${file} parameter default_privs: user root has privileged user ID`,
    ],
    [{ mail_owner: 'no-such' }, `${file} parameter mail_owner: unknown user name value: no-such`],
    [{ setgid_group: 'no-such' }, `${file} parameter setgid_group: unknown group name: no-such`],
    [
      { setgid_group: 'root' },
      `${file} parameter setgid_group: group root has privileged group ID`,
    ],
    [
      { mail_owner: 'nobody' },
      `${file} parameters default_privs and mail_owner specify the same user nobody`,
    ],
    [
      { setgid_group: 'daemon' },
      `${file} parameters mail_owner and setgid_group: user daemon and group daemon have the same group ID: 1`,
    ],
  ]
  for (const [settings, wanted] of cases) t.equal(check(settings).at(-1), wanted)
  t.end()
})

t.test('checkStartup() asks a rootless instance for no users', (t) => {
  t.same(check({ mail_owner: userInfo().username, setgid_group: 'no-such' }), [])
  t.end()
})
