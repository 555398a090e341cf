/**
 * master-process - is master(8) running, and how it is told to go on or to end
 *
 * master holds an exclusive lock on pid/master.pid for its life. `master -t` tests that lock, so a stale pid
 * file never makes a dead system look alive, and no signal goes to a pid that somebody else has now.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { log } from '@posthorn/log/log'
import { childEnvironment, CommandError, type Instance } from './instance.ts'

const STOP_ATTEMPTS = 5
const STOP_INTERVAL_MS = 1000
/** How often a stopping master is looked at; far below the second after which the user is told to wait. */
const STOP_POLL_MS = 50

/** Runs a program of this instance in the queue directory, with the user's terminal. */
export async function run(
  instance: Instance,
  file: string,
  args: readonly string[],
): Promise<number> {
  const result = await execa(file, args, {
    cwd: instance.queueDirectory,
    env: childEnvironment(instance),
    extendEnv: false,
    stdio: 'inherit',
    reject: false,
  })
  if (result.exitCode === undefined && result.signal === undefined) {
    throw new CommandError(`cannot execute ${file}: ${result.shortMessage ?? 'unknown reason'}`)
  }
  return result.exitCode ?? 1
}

export function masterPath(instance: Instance): string {
  return `${instance.daemonDirectory}/master`
}

export async function isMasterRunning(instance: Instance): Promise<boolean> {
  return (await run(instance, masterPath(instance), ['-t'])) !== 0
}

/** @throws {CommandError} the pid file is unreadable or holds no pid */
export async function masterPid(instance: Instance): Promise<number> {
  const path = `${instance.queueDirectory}/pid/master.pid`
  const pid = Number.parseInt((await readFile(path, 'latin1')).trim(), 10)
  if (!Number.isInteger(pid) || pid <= 1) {
    throw new CommandError(`Cannot read ${path}: no process ID in it`)
  }
  return pid
}

async function hasEnded(instance: Instance): Promise<boolean> {
  for (let waited = 0; waited < STOP_INTERVAL_MS; waited += STOP_POLL_MS) {
    const pid = await masterPid(instance)
    try {
      process.kill(pid, 0)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ESRCH') {
        return !(await isMasterRunning(instance))
      }
      throw error
    }
    await sleep(STOP_POLL_MS)
  }
  return !(await isMasterRunning(instance))
}

/** TERM, five seconds of patience, then KILL to the whole process group. */
export async function stopMaster(instance: Instance): Promise<void> {
  const pid = await masterPid(instance)
  process.kill(pid, 'SIGTERM')
  for (let attempt = 0; attempt < STOP_ATTEMPTS; attempt += 1) {
    if (await hasEnded(instance)) return
    log.info('waiting for the Postfix mail system to terminate')
  }
  log.warning('stopping the Postfix mail system with force')
  process.kill(-pid, 'SIGKILL')
}
