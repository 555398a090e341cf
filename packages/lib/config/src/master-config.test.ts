import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ConfigError, MainConfig } from './main-config.ts'
import { loadMasterConfig, parseOverride, type MasterEntry } from './master-config.ts'

const directory = mkdtempSync(join(tmpdir(), 'posthorn-master-'))
t.teardown(() => {
  rmSync(directory, { recursive: true })
})

function load(
  text: string,
  main = 'compatibility_level = 3.7\n',
  warnings: string[] = [],
): MasterEntry[] {
  writeFileSync(join(directory, 'master.cf'), text, 'latin1')
  return loadMasterConfig(MainConfig.parse(main, { directory }), (warning) => {
    warnings.push(warning)
  })
}

function fault(text: string): string {
  try {
    load(text)
    return 'no fault'
  } catch (error) {
    if (error instanceof ConfigError) return error.message.replace(directory, 'DIR')
    throw error
  }
}

t.test('loadMasterConfig() reads fields, defaults and arguments', (t) => {
  const [smtp, qmgr] = load(
    'smtp inet n - - - - smtpd\n  -o syslog_name=postfix/x -o { mynetworks = 1 2 }\n# note\n -v {a {b} c} x{y z}\n' +
      'qmgr unix n y n 300? 1 qmgr\n',
  )
  t.same(smtp, {
    service: 'smtp',
    type: 'inet',
    isPrivate: false,
    isUnprivileged: true,
    isChrooted: false,
    wakeupSeconds: 0,
    isWakeupOnDemand: false,
    processLimit: 100,
    command: 'smtpd',
    args: ['-o', 'syslog_name=postfix/x', '-o', 'mynetworks = 1 2', '-v', 'a {b} c', 'x{y z}'],
    line: 1,
  })
  t.match(qmgr, { wakeupSeconds: 300, isWakeupOnDemand: true, processLimit: 1, line: 5 })
  t.end()
})

t.test('loadMasterConfig() takes defaults from main.cf', (t) => {
  const warnings: string[] = []
  const [smtp] = load('smtp unix - - - - - smtp\n', 'default_process_limit = 7\n', warnings)
  t.match(smtp, { isChrooted: true, processLimit: 7, isPrivate: true })
  t.same(warnings, [
    `${directory}/master.cf: line 1: using backwards-compatible default setting chroot=y`,
  ])
  t.end()
})

t.test('loadMasterConfig() leaves out what master_service_disable names', (t) => {
  const text =
    'smtp inet n - n - - smtpd\n25 inet n - n - - smtpd\nsmtp unix - - n - - smtp\nbad inet - what\n'
  const names = (list: string): string[] =>
    load(
      text.replace(/bad.*\n/, ''),
      `compatibility_level = 3\nmaster_service_disable = ${list}\n`,
    ).map((entry) => `${entry.service}/${entry.type}`)
  t.same(names('inet'), ['smtp/unix'])
  t.same(names('smtp/inet'), ['25/inet', 'smtp/unix'])
  t.same(names('SMTP.inet, smtp/unix'), ['25/inet'])
  t.same(names('!25/inet inet'), ['25/inet', 'smtp/unix'])
  const entries = load(text, 'compatibility_level = 3\nmaster_service_disable = inet\n')
  t.equal(entries.length, 1, 'a disabled entry is not looked at further')
  t.end()
})

t.test('loadMasterConfig() says what is wrong, and where', (t) => {
  t.equal(fault('smtp unix - - n - -\n'), 'DIR/master.cf: line 1: missing "command" field')
  t.equal(fault('\nsmtp\n'), 'DIR/master.cf: line 2: missing "transport type" field')
  t.equal(
    fault('smtp - - - n - - x\n'),
    'DIR/master.cf: line 1: field "transport type" has no default value',
  )
  t.equal(fault('smtp foo - - n - - x\n'), 'DIR/master.cf: line 1: bad transport type: foo')
  t.equal(
    fault('smtp unix x - n - - x\n'),
    'DIR/master.cf: line 1: field "private": bad value: "x"',
  )
  t.equal(fault('smtp unix - - Y - - x\n'), 'DIR/master.cf: line 1: field "chroot": bad value: "Y"')
  t.equal(
    fault('smtp unix - - n x - x\n'),
    'DIR/master.cf: line 1: field "wakeup_time": bad value: "x"',
  )
  t.equal(
    fault('smtp unix - - n - -1 x\n'),
    'DIR/master.cf: line 1: field "max_proc": bad value: "-1"',
  )
  t.equal(
    fault('smtp unix - - n - - -\n'),
    'DIR/master.cf: line 1: field "command" has no default value',
  )
  t.equal(fault('smtp inet - - n - - x\n'), 'DIR/master.cf: line 1: inet service cannot be private')
  t.equal(fault('smtp unix - - n - - x {a b\n'), `DIR/master.cf: line 1: missing '}' in "{a b"`)
  t.equal(
    fault('smtp unix - - n - - x {a b}c\n'),
    `DIR/master.cf: line 1: syntax error after '}' in "{a b}c"`,
  )
  rmSync(join(directory, 'master.cf'))
  t.throws(() => loadMasterConfig(MainConfig.of({}, directory)), {
    message: `open ${directory}/master.cf: No such file or directory`,
  })
  t.end()
})

t.test('parseOverride() splits like main.cf', (t) => {
  t.same(parseOverride('a=b'), ['a', 'b'])
  t.same(parseOverride(' a = b = c '), ['a', 'b = c'])
  t.throws(() => parseOverride('a'), {
    message: `invalid "-o a" option value: missing '=' after attribute name`,
  })
  t.end()
})
