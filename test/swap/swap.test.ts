/**
 * swap - any one daemon takes its counterpart's place in a running system
 *
 * For each program: the real Postfix with that one daemon of ours, and our system with that one real daemon.
 * The same mail goes through each; nothing may be lost, doubled or complained about.
 * Needs root and Postfix 3.7 from Debian. SWAP=smtp,qmgr runs these cells only.
 */
import { mkdtemp, rm, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { checkLog } from './complaints.ts'
import { LOCAL, RELAYED, runScenario, SUBMITTED, VIRTUAL } from './scenario.ts'

const PROGRAMS = [
  'scache',
  'smtp',
  'qmgr',
  'cleanup',
  'smtpd',
  'trivial-rewrite',
  'bounce',
  'pickup',
  'virtual',
  'local',
  'showq',
  'postlogd',
  'anvil',
  'flush',
  'error',
]

const wanted = process.env['SWAP']?.split(',')

async function cell(
  t: Test,
  name: string,
  exchanged: readonly string[],
  ours: boolean,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'posthorn-swap-'))
  await chmod(directory, 0o755)
  t.teardown(async () => rm(directory, { recursive: true, force: true }))
  const system = ours ? 'posthorn' : 'postfix'
  const outcome = await runScenario({
    directory: join(directory, 'i'),
    commands: system,
    daemons: system,
    exchanged,
  })
  t.equal(outcome.relayed, RELAYED + SUBMITTED, 'each relayed message arrived exactly once')
  t.equal(outcome.local, LOCAL, 'each local message is in the maildir of local(8)')
  t.equal(outcome.virtual, VIRTUAL, 'each virtual message is in the maildir of virtual(8)')
  t.equal(outcome.bounced, 1, 'the undeliverable message was returned')
  t.equal(outcome.left.length, 1, 'one deferred message is left in the queue')
  t.match(outcome.mailq, /^ +\(not now\)\n +user@later\.test$/m, 'the queue listing says why')
  if (name === 'smtp' || name === 'scache') {
    t.ok(outcome.reused > 0, `connections were reused (${outcome.reused} times)`)
    t.ok(outcome.sessions < RELAYED, 'fewer sessions than messages')
  }
  checkLog(t, outcome.log)
}

for (const name of PROGRAMS) {
  if (wanted !== undefined && !wanted.includes(name)) continue
  t.test(`our ${name} in Postfix`, async (t) => cell(t, name, [name], false))
  t.test(`Postfix's ${name} in ours`, async (t) => cell(t, name, [name], true))
}
if (wanted === undefined || wanted.includes('all')) {
  t.test('all of ours', async (t) => cell(t, 'smtp', [], true))
}
