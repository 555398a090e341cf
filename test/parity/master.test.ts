/**
 * master - both systems' master(8): what it says about mistakes, how it starts processes, how it ends
 *
 * Needs root and Postfix 3.7. Differences on purpose are those of docs/differences.md.
 */
import t from 'tap'
import { waitFor } from '@posthorn/testing/wait-for'
import { SYSTEMS } from './both-systems.ts'
import { MasterSite } from './master-site.ts'
import type { System } from '../../scripts/instance.ts'

const GOOD = 'one unix - - n - - probe'

/** What each system says and how it ends, when it is started with this configuration. */
const MISTAKES: Record<
  string,
  readonly [master: string[] | undefined, main?: Record<string, string>]
> = {
  'bad type': [['one foo - - n - - probe']],
  'one field': [['one']],
  'two fields': [['one unix']],
  'no command': [['one unix - - n - -']],
  'command without default': [['one unix - - n - - -']],
  'bad private': [['one unix x - n - - probe']],
  'bad chroot': [['one unix - - Y - - probe']],
  'bad wakeup': [['one unix - - n x - probe']],
  'bad maxproc': [['one unix - - n - x probe']],
  'negative maxproc': [['one unix - - n - -1 probe']],
  'huge maxproc': [['one unix - - n - 99999999999 probe']],
  'private inet': [['25 inet - - n - - probe']],
  'no closing brace': [['one unix - - n - - probe { a b']],
  'text after brace': [['one unix - - n - - probe {a b}c']],
  'second line': [[GOOD, '# comment', '', 'two unix - - n - - probe', '  { -o', '  x']],
  'line that continues nothing': [[`  ${GOOD}`]],
  duplicate: [[GOOD, 'one unix - - n - - probe again']],
  'duplicate, another name': [
    ['127.0.0.1:smtps inet n - n - - probe', '127.0.0.1:465 inet n - n - - probe'],
  ],
  'no host': [['no.such.invalid:25 inet n - n - - probe']],
  'no port': [['127.0.0.1: inet n - n - - probe']],
  bracket: [['[127.0.0.1 inet n - n - - probe']],
  'bad address': [['127.0.0.300:25 inet n - n - - probe']],
  'ipv6 disabled': [['[::1]:25 inet n - n - - probe']],
  'foreign address': [['192.0.2.1:25 inet n - n - - probe']],
  'no protocols': [['25 inet n - n - - probe'], { inet_protocols: '' }],
  'unknown protocol': [[GOOD], { inet_protocols: 'foo' }],
  'unknown interface': [[GOOD], { inet_interfaces: 'no.such.invalid' }],
  'no interface': [['25 inet n - n - - probe'], { inet_interfaces: '' }],
  'no master.cf': [undefined],
  'empty master.cf': [[]],
  'directory in a name': [['a/b unix - - n - - probe']],
  'fifo in a directory': [['a/b fifo n - n - - probe']],
  'long name': [[`${'x'.repeat(120)} unix - - n - - probe`]],
  'datagram wake-up': [['one unix-dgram - - n 1000 - probe']],
  'disabled service': [['one unix'], { master_service_disable: 'one.unix' }],
  'bad environment': [[GOOD], { import_environment: '{ x' }],
  'no queue directory': [[GOOD], { queue_directory: '/nonexistent' }],
  'no data directory': [[GOOD], { data_directory: '/nonexistent' }],
  'unknown owner': [[GOOD], { mail_owner: 'nosuchuser' }],
  'no debugger': [[GOOD], {}],
}

t.test('mistakes in master.cf and main.cf', async (t) => {
  const told = async (system: System, name: string): Promise<unknown> => {
    const [services, main] = MISTAKES[name] ?? [[]]
    const site = new MasterSite(t, system)
    site.configure(services, main)
    await site.start('-s', ...(name === 'no debugger' ? ['-D'] : []))
    return { said: site.said, status: site.status }
  }
  const names = Object.keys(MISTAKES)
  // a few at a time: Postfix pauses for a second before it dies
  for (let at = 0; at < names.length; at += 10) {
    await Promise.all(
      names.slice(at, at + 10).map(async (name) => {
        const [postfix, posthorn] = await Promise.all(SYSTEMS.map(async (one) => told(one, name)))
        t.same(posthorn, postfix, name)
      }),
    )
  }
})

t.test('how a process is started', async (t) => {
  const services = [
    'one unix n - y - 5 probe { a  b } -o { x = y z }',
    'two unix - n n - 1 probe',
    'three pass - - n - 0 probe -v',
    'four pass - - n - 9 probe',
  ]
  const seen = async (system: System): Promise<string[]> => {
    const site = new MasterSite(t, system)
    site.configure(services, { import_environment: 'TZ MAIL_CONFIG MAIL_LOGTAG A=1 { B = 2 3 }' })
    await site.start('-v')
    for (const path of ['public/one', 'private/two', 'private/three', 'private/four']) {
      await site.client(path)
    }
    await waitFor(
      () => site.reports.length === 4 && site.reports.every((one) => one.endsWith('end\n')),
      'reports',
    )
    return site.reports.map((report) => report.replace(/^POSTHORN_SHARE=\d+\n/m, ''))
  }
  const [postfix, posthorn] = await Promise.all(SYSTEMS.map(seen))
  t.same(posthorn, postfix)
})

t.test('processes that fail at once are throttled, and tried again', async (t) => {
  const seen = async (system: System): Promise<string[]> => {
    const site = new MasterSite(t, system)
    site.configure(['one unix - - n - - crash', 'two unix - - n - - killed'], {
      service_throttle_time: '1s',
    })
    await site.start()
    await site.client('private/one')
    await site.client('private/two')
    const throttled = (name: string): number =>
      site.said.filter((one) => one.includes(`${name}: bad command`)).length
    await waitFor(() => throttled('crash') > 1 && throttled('killed') > 1, 'the second try')
    return [...new Set(site.said)].sort()
  }
  const [postfix, posthorn] = await Promise.all(SYSTEMS.map(seen))
  t.same(posthorn, postfix)
})

t.test('a reload that changes what takes a restart, and one that removes a service', async (t) => {
  const seen = async (system: System): Promise<string[]> => {
    const site = new MasterSite(t, system)
    site.configure([GOOD, 'gone unix - - n - - probe', '127.0.0.1:smtps inet n - n - - probe'])
    await site.start()
    const client = await site.client('private/gone')
    // a child of the real master that is ended before it has become its program answers for master
    await waitFor(() => site.reports.some((one) => one.endsWith('end\n')), 'the probe')
    site.configure([GOOD, '127.0.0.1:smtps inet n - n - - probe'], {
      inet_interfaces: 'all',
      inet_protocols: 'all',
      queue_directory: '/tmp',
    })
    site.signal('SIGHUP')
    await site.logged('to change queue_directory')
    await client.fill().catch(() => undefined) // its process was ended
    await site.logged('service 127.0.0.1:smtps: ignoring')
    return site.said.sort()
  }
  const [postfix, posthorn] = await Promise.all(SYSTEMS.map(seen))
  t.same(posthorn, postfix)
})

t.test('signals and options that end master', async (t) => {
  const signals = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const
  const options = [['-t'], ['-t', '-w'], ['-i'], ['-e', '0'], ['-e', '1'], ['-x'], ['word']]
  const killed = async (system: System, signal: NodeJS.Signals): Promise<unknown> => {
    const site = new MasterSite(t, system)
    site.configure([GOOD])
    await site.start('-s')
    return [signal, await site.stop(signal), site.said]
  }
  const ended = async (system: System, words: readonly string[]): Promise<unknown> => {
    const site = new MasterSite(t, system)
    site.configure([GOOD])
    await site.start(...words)
    if (words[0] === '-e') await site.logged('exit time has arrived')
    return [words, await site.ended(), site.said.map((line) => line.replace(/usage: .*/, 'usage'))]
  }
  const ends = async (system: System): Promise<unknown> =>
    Promise.all([
      ...signals.map(async (signal) => killed(system, signal)),
      ...options.map(async (words) => ended(system, words)),
    ])
  const postfix = await ends('postfix')
  t.same(await ends('posthorn'), postfix)
})
