/**
 * commands-check - what `postfix check` finds
 *
 * One thing at a time is spoilt in a good instance. Needs root and Postfix 3.7.
 */
import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import type { Instance, System } from '../../scripts/instance.ts'
import { SYSTEMS } from './both-systems.ts'
import { layOut, runCommand } from './command-lines.ts'
import { POSTFIX_COMMANDS, takeLog } from './script-log.ts'

const run = promisify(execFile)

/**
 * Not here: a mail_owner of root (for us a rootless instance), and mistakes at which the programs that Postfix's script
 * calls complain in their own ways.
 * What is done to an instance, and what `postfix check` says of it.
 */
const FINDINGS: Readonly<Record<string, (instance: Instance) => Promise<unknown>>> = {
  nothing: async () => Promise.resolve(),
  'main.cf for others to write': async (i) => chmod(join(i.configDirectory, 'main.cf'), 0o666),
  'main.cf of somebody else': async (i) => chown(join(i.configDirectory, 'main.cf'), 65534, 0),
  'master.cf is missing': async (i) => rm(join(i.configDirectory, 'master.cf')),
  'a table of the group': async (i) => {
    await writeFile(join(i.configDirectory, 'table'), '')
    await chmod(join(i.configDirectory, 'table'), 0o664)
  },
  'configuration directory for others to write': async (i) => chmod(i.configDirectory, 0o777),
  'queue directory of somebody else': async (i) => chown(i.queueDirectory, 65534, 0),
  'queue directory for others to write': async (i) => chmod(i.queueDirectory, 0o777),
  'pid of somebody else': async (i) => chown(join(i.queueDirectory, 'pid'), 65534, 0),
  'active of root': async (i) => chown(join(i.queueDirectory, 'active'), 0, 0),
  'active for all': async (i) => chmod(join(i.queueDirectory, 'active'), 0o777),
  'a file of root in flush': async (i) => writeFile(join(i.queueDirectory, 'flush/site'), ''),
  'maildrop of another group': async (i) => chown(join(i.queueDirectory, 'maildrop'), 102, 0),
  'maildrop for all': async (i) => chmod(join(i.queueDirectory, 'maildrop'), 0o777),
  'public of another group': async (i) => chown(join(i.queueDirectory, 'public'), 102, 0),
  'public of another owner': async (i) => chown(join(i.queueDirectory, 'public'), 0, 106),
  'private of another owner': async (i) => chown(join(i.queueDirectory, 'private'), 0, 0),
  'a damaged message': async (i) => {
    await writeFile(join(i.queueDirectory, 'corrupt/ABCDEF'), '')
    await chown(join(i.queueDirectory, 'corrupt/ABCDEF'), 102, 0)
  },
  'data directory of root': async (i) => chown(join(i.directory, 'data'), 0, 0),
  'data directory for all': async (i) => chmod(join(i.directory, 'data'), 0o777),
  'a file of root in the data directory': async (i) => writeFile(join(i.directory, 'data/x'), ''),
  'directories are missing': async (i) => {
    for (const name of ['active', 'private', 'maildrop', 'pid', 'flush']) {
      await rm(join(i.queueDirectory, name), { recursive: true, force: true })
    }
  },
  'a chroot with another hosts file': async (i) => {
    await mkdir(join(i.queueDirectory, 'etc'))
    await writeFile(join(i.queueDirectory, 'etc/hosts'), 'other')
  },
  'a chroot with other copies': async (i) => {
    for (const name of [
      'etc/resolv.conf',
      'etc/nonesuch',
      'etc/ssl/openssl.cnf',
      'usr/share/zoneinfo/UTC',
      'lib/nonesuch',
    ]) {
      await mkdir(dirname(join(i.queueDirectory, name)), { recursive: true })
      await writeFile(join(i.queueDirectory, name), 'other')
    }
  },
  'no postlog service': async (i) => {
    const file = join(i.configDirectory, 'master.cf')
    await writeFile(file, (await readFile(file, 'utf8')).replace(/^postlog.*\n/m, ''))
  },
  'no data directory': async (i) => rm(join(i.directory, 'data'), { recursive: true }),
  'mail_owner is nobody we know': async (i) => append(i, 'mail_owner = nonesuch'),
  'setgid_group is none we know': async (i) => append(i, 'setgid_group = nonesuch'),
  'a number that is none': async (i) => append(i, 'hash_queue_depth = x'),
  'a line that is no assignment': async (i) => append(i, 'nonesuch'),
}

async function append(instance: Instance, line: string): Promise<void> {
  const file = join(instance.configDirectory, 'main.cf')
  await writeFile(file, `${await readFile(file, 'utf8')}${line}\n`)
}

async function findings(t: Test, system: System): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  const instance = await layOut(t, system)
  await run('cp', ['-a', instance.directory, `${instance.directory}.stock`])
  for (const [title, spoil] of Object.entries(FINDINGS)) {
    await rm(instance.directory, { recursive: true })
    await run('cp', ['-a', `${instance.directory}.stock`, instance.directory])
    await spoil(instance)
    await run('find', [
      instance.configDirectory,
      '-type',
      'f',
      '-exec',
      'touch',
      '-d',
      '@1',
      '{}',
      '+',
    ])
    await takeLog(instance, system)
    const outcome = await runCommand(instance, POSTFIX_COMMANDS[system], ['check'])
    const log = await takeLog(instance, system)
    // Postfix's script calls postconf(1) often
    const stderr = outcome.stderr.replace(/^(?:postfix: fatal|postconf: warning): .*\n/gm, '')
    found[title] = { ...outcome, stderr, log: log.sort() }
  }
  return found
}

t.test('postfix check', async (t) => {
  const seen: Partial<Record<System, Record<string, unknown>>> = {}
  await Promise.all(
    SYSTEMS.map(async (system) => {
      seen[system] = await findings(t, system)
    }),
  )
  for (const title of Object.keys(FINDINGS)) {
    t.same(seen.posthorn?.[title], seen.postfix?.[title], title)
  }
})
