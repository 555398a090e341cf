/**
 * command-lines - runs commands of an instance and keeps what a caller sees of them
 *
 * A command line is run as root, or as somebody who is nobody; then /etc/postfix is the instance's own configuration, in
 * a mount namespace, because commands with more rights than their caller believe no other.
 */
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Instance, type System } from '../../scripts/instance.ts'
import { comparable, type BothOptions } from './both-systems.ts'

export const NOBODY = { uid: 65534, gid: 65534 } as const

export interface RunOptions {
  readonly input?: string | Buffer
  readonly environment?: Readonly<Record<string, string>>
  /** Run it as this user, with /etc/postfix replaced. */
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly directory?: string
  /** Queue ids are left as they are. */
  readonly plain?: boolean
}

export interface Outcome {
  readonly exit: number | string
  readonly stdout: string
  readonly stderr: string
}

/** What the real programs say of the machine's network, and ours do not ask about. */
const OWN_NOISE = /(name_mask|inet_addr_local|set_eugid|been_here): /

const AS_USER = [
  'mount --bind "$0" /etc/postfix || exit 98',
  'uid=$1 gid=$2; shift 2',
  'exec setpriv --reuid "$uid" --regid "$gid" --clear-groups env -i "$@"',
].join('\n')

function commandLine(
  instance: Instance,
  command: string,
  args: readonly string[],
  options: RunOptions,
): readonly string[] {
  const variables = Object.entries({
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    ...(options.user === undefined ? { MAIL_CONFIG: instance.configDirectory } : {}),
    ...options.environment,
  }).map(([name, value]) => `${name}=${value}`)
  const { user } = options
  if (user === undefined) return ['/usr/bin/env', '-i', ...variables, command, ...args]
  return [
    ...['/usr/bin/unshare', '--mount', 'sh', '-c', AS_USER, instance.configDirectory],
    ...[String(user.uid), String(user.gid), ...variables, command, ...args],
  ]
}

/** `command` is a path. Never rejects: what went wrong is the outcome. */
export async function runCommand(
  instance: Instance,
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const [file = '', ...words] = commandLine(instance, command, args, options)
  return new Promise((resolve) => {
    const child = execFile(
      file,
      words,
      { encoding: 'latin1', cwd: options.directory ?? '/', maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => {
        const exit = error === null ? 0 : (error.code ?? error.signal ?? 'unknown')
        const keep = options.plain === true
        resolve({ exit, stdout: shown(stdout, keep), stderr: shown(stderr, keep) })
      },
    )
    child.stdin?.on('error', () => undefined) // it has ended without reading everything
    child.stdin?.end(options.input ?? '')
  })
}

function shown(text: string, keepsIds: boolean): string {
  const lines = text
    .split('\n')
    .filter((line) => !OWN_NOISE.test(line))
    .map((line) => line.replace(/^\/\S*\/(?=\w+: )|(?<=usage: )\/\S*\//g, '')) // some say by which path they were called
  return keepsIds ? lines.join('\n') : comparable(lines.join('\n'))
}

/** The complete messages in maildrop/, as the real postcat(1) shows their records. They are removed. */
export async function takeSubmissions(instance: Instance): Promise<string[]> {
  const directory = join(instance.queueDirectory, 'maildrop')
  const found: string[] = []
  for (const name of await readdir(directory)) {
    const path = join(directory, name)
    if (((await stat(path)).mode & 0o100) !== 0) {
      const { stdout } = await runCommand(instance, '/usr/sbin/postcat', ['-v', path])
      found.push(stdout.replaceAll(path, 'FILE').replace(/^(message_arrival_time:).*$/m, '$1 TIME'))
    }
    await rm(path)
  }
  return found.sort()
}

/** An instance that is laid out, with its queue, but not started. */
export async function layOut(
  t: Test,
  system: System,
  options: BothOptions = {},
): Promise<Instance> {
  const directory = await mkdtemp(join(tmpdir(), `parity-${system}-`))
  await chmod(directory, 0o755)
  t.teardown(async () => rm(directory, { recursive: true, force: true }))
  const instance = await Instance.create({
    ...{ directory: join(directory, 'i'), commands: system, daemons: system, owner: 'postfix' },
    ...options,
  })
  await instance.run('postfix', ['check'])
  return instance
}

export interface CommandCase extends RunOptions {
  readonly words: readonly string[]
  /** Before the command. */
  readonly prepare?: (instance: Instance) => Promise<void>
  /** What it left behind. */
  readonly observe?: (instance: Instance) => Promise<unknown>
}

/** Postfix reads some command lines twice, and says twice what it does not like. */
function onceOnly(text: string): string {
  return text.replace(/^(.*-- '.'\n)\1/, '$1')
}

async function perform(instance: Instance, system: System, given: CommandCase): Promise<unknown> {
  const [name = '', ...args] = given.words
  const directory =
    system === 'postfix' ? '/usr/sbin' : join(import.meta.dirname, '../../build/sbin')
  await given.prepare?.(instance)
  const words = args.map((word) => word.replaceAll('SPOOL', instance.queueDirectory))
  const outcome = await runCommand(instance, join(directory, name), words, given)
  return {
    ...outcome,
    stderr: onceOnly(outcome.stderr),
    left: (await given.observe?.(instance)) ?? '',
  }
}

/** Runs every case on either system, in order, and expects the same of both. `SPOOL` in a word is the queue directory. */
export async function compareCommands(
  t: Test,
  cases: readonly CommandCase[],
  instances: Readonly<Record<System, Instance>>,
): Promise<void> {
  const outcomes = async (system: System): Promise<unknown[]> => {
    const found: unknown[] = []
    for (let at = 0; at < cases.length;) {
      const batch = cases.slice(at, at + batchSize(cases, at))
      const run = batch.map(async (given) => perform(instances[system], system, given))
      found.push(...(await Promise.all(run)))
      at += batch.length
    }
    return found
  }
  const [theirs, ours] = await Promise.all([outcomes('postfix'), outcomes('posthorn')])
  for (const [at, given] of cases.entries()) {
    const input =
      given.input === undefined ? '' : ` < ${JSON.stringify(String(given.input)).slice(0, 80)}`
    t.same(ours[at], theirs[at], `${given.words.join(' ')}${input}`)
  }
}

/** Cases that neither prepare nor observe anything can run side by side: Postfix sleeps a second when it gives up. */
function batchSize(cases: readonly CommandCase[], from: number): number {
  const next = cases.slice(from, from + 6)
  const count = next.findIndex((given) => (given.prepare ?? given.observe) !== undefined)
  return count < 0 ? next.length : Math.max(1, count)
}

/** One instance of each, with the same configuration, not started. */
export async function layOutBoth(
  t: Test,
  options: BothOptions = {},
): Promise<Record<System, Instance>> {
  const [postfix, posthorn] = await Promise.all([
    layOut(t, 'postfix', options),
    layOut(t, 'posthorn', options),
  ])
  return { postfix, posthorn }
}
