import t from 'tap'
import type { MasterEntry } from '@posthorn/config/master-config'
import { childArguments, childEnvironment, hasStressOption } from './child-command.ts'

const entry: MasterEntry = {
  service: 'probe',
  type: 'unix',
  isPrivate: true,
  isUnprivileged: true,
  isChrooted: false,
  wakeupSeconds: 0,
  isWakeupOnDemand: false,
  processLimit: 100,
  command: 'probe',
  args: [],
  line: 1,
}

function commandLine(
  change: Partial<MasterEntry>,
  listenerCount = 1,
  isLoopbackOnly = false,
): string {
  const changed = { ...entry, ...change }
  const isStressed = hasStressOption(changed, isLoopbackOnly) ? false : undefined
  const situation = { listenerCount, staysAttached: false, isVerbose: false, isStressed }
  return [changed.command, ...childArguments(changed, situation)].join(' ')
}

t.test('childArguments() as observed with Postfix 3.7', (t) => {
  t.equal(commandLine({ service: '12525', type: 'inet' }), 'probe -n 12525 -t inet -u -o stress=')
  t.equal(
    commandLine({ service: 'zero', processLimit: 0, isChrooted: true }),
    'probe -z -n zero -t unix -u -c',
  )
  t.equal(
    commandLine({ service: 'ff', type: 'fifo', processLimit: 1 }),
    'probe -l -n ff -t fifo -u',
  )
  t.equal(
    commandLine({ service: '127.0.0.1:10025', type: 'inet', command: 'smtpd' }, 1, true),
    'smtpd -n 127.0.0.1:10025 -t inet -u',
  )
  t.equal(commandLine({ type: 'pass' }), 'probe -t pass -u -o stress=')
  t.equal(commandLine({ type: 'pass', processLimit: 1 }), 'probe -l -t pass -u')
  t.equal(
    commandLine({ isUnprivileged: false, args: ['-o', 'x=y z', 'last'] }, 3),
    'probe -t unix -s 3 -o x=y z last',
  )
  t.end()
})

t.test('childArguments() of a verbose, attached master under stress', (t) => {
  const situation = { listenerCount: 1, staysAttached: true, isVerbose: true, isStressed: true }
  t.same(childArguments({ ...entry, type: 'pass' }, situation), [
    ...['-t', 'pass', '-d', '-v', '-u', '-o', 'stress=yes'],
  ])
  t.end()
})

t.test('childEnvironment() writes the generation in octal', (t) => {
  t.same(childEnvironment({ TZ: 'UTC' }, 64, 50), {
    TZ: 'UTC',
    GENERATION: '100',
    POSTHORN_SHARE: '50',
  })
  t.end()
})
