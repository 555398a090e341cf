/**
 * subcommands - what `postfix start`, `stop`, `reload` and the others do
 *
 * Each takes the instance and returns the exit status. Texts go to the log and to the terminal, as the
 * Postfix script words them, because tools look for them.
 * Source: Postfix 3.7 postfix(1).
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { execa } from 'execa'
import { loadMasterConfig } from '@posthorn/config/master-config'
import { flushLog, log, logAt } from '@posthorn/log/log'
import { checkHealth, checkScripts } from './health-check.ts'
import { childEnvironment, CommandError, type Instance } from './instance.ts'
import { rotateLog } from './logrotate.ts'
import { isMasterRunning, masterPath, masterPid, run, stopMaster } from './master-process.ts'
import { createMissing, setPermissions } from './permissions.ts'

export type Subcommand = (instance: Instance, options: readonly string[]) => Promise<number>

const quickStart = (instance: Instance): string => `${instance.queueDirectory}/quick-start`
const postsuper = (instance: Instance): string => `${instance.commandDirectory}/postsuper`

/**
 * False: postsuper(1) has said what is wrong with the queue.
 * @throws {CommandError} the instance cannot run as it is
 */
async function isSound(instance: Instance): Promise<boolean> {
  createMissing(instance)
  const masterFile = `${instance.configDirectory}/master.cf`
  // eslint-disable-next-line n/no-sync -- a command that runs once
  if (!existsSync(masterFile)) throw new CommandError(`no ${masterFile} file found`)
  const services = loadMasterConfig(instance.config)
  const hasPostlog = services.some(
    ({ service, type }) => service === 'postlog' && type === 'unix-dgram',
  )
  if (instance.config.text('maillog_file') !== '' && !hasPostlog) {
    throw new CommandError(
      "missing 'postlog' service in master.cf - run 'postfix upgrade-configuration'",
    )
  }
  return (await run(instance, postsuper(instance), [])) === 0
}

async function prepareStart(instance: Instance): Promise<void> {
  createMissing(instance)
  if (await isMasterRunning(instance)) {
    throw new CommandError('the Postfix mail system is already running')
  }
  // eslint-disable-next-line n/no-sync -- a command that runs once
  if (existsSync(quickStart(instance))) {
    await rm(quickStart(instance))
  } else {
    if (!(await isSound(instance))) throw new CommandError('Postfix integrity check failed!')
    checkHealth(instance)
  }
  announce('starting the Postfix mail system')
}

/** In the log before anything happens: afterwards postlogd(8) may be gone. */
function announce(text: string): void {
  log.info(text)
  flushLog()
}

async function requireRunning(instance: Instance): Promise<void> {
  if (!(await isMasterRunning(instance))) {
    throw new CommandError('the Postfix mail system is not running')
  }
}

const start: Subcommand = async (instance, options) => {
  await prepareStart(instance)
  if ((await run(instance, masterPath(instance), ['-w', ...options])) !== 0) {
    throw new CommandError('mail system startup failed')
  }
  return 0
}

const startForeground: Subcommand = async (instance, options) => {
  if (instance.config.text('multi_instance_directories') !== '') {
    throw new CommandError('start-fg does not support multi_instance_directories')
  }
  await prepareStart(instance)
  const mode = process.pid === 1 ? '-i' : '-s'
  const master = execa(masterPath(instance), [mode, ...options], {
    cwd: instance.queueDirectory,
    env: childEnvironment(instance),
    extendEnv: false,
    stdio: 'inherit',
    reject: false,
  })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => master.kill(signal))
  }
  return (await master).exitCode ?? 0
}

const stop: Subcommand = async (instance) => {
  await requireRunning(instance)
  announce('stopping the Postfix mail system')
  await stopMaster(instance)
  return 0
}

function failure(error: unknown): number {
  if (!(error instanceof CommandError)) throw error
  logAt('fatal', error.message)
  return 0
}

const quickStop: Subcommand = async (instance, options) => {
  // Also when nothing runs: the next start is to be a quick one.
  const status = await stop(instance, options).catch(failure)
  await writeFile(quickStart(instance), '')
  return status
}

const abort: Subcommand = async (instance) => {
  await requireRunning(instance)
  announce('aborting the Postfix mail system')
  process.kill(await masterPid(instance), 'SIGTERM')
  return 0
}

const drain: Subcommand = async (instance) => {
  await requireRunning(instance)
  announce('stopping the Postfix mail system')
  process.kill(await masterPid(instance), 'SIGKILL')
  return 0
}

const reload: Subcommand = async (instance) => {
  await requireRunning(instance)
  announce('refreshing the Postfix mail system')
  if ((await run(instance, postsuper(instance), ['active'])) !== 0) return 1
  process.kill(await masterPid(instance), 'SIGHUP')
  const repair = spawn(postsuper(instance), [], {
    cwd: instance.queueDirectory,
    env: childEnvironment(instance),
    stdio: 'ignore',
    detached: true,
  })
  repair.unref()
  return 0
}

const flush: Subcommand = async (instance) => {
  return run(instance, `${instance.commandDirectory}/postqueue`, ['-f'])
}

const check: Subcommand = async (instance) => {
  if (!(await isSound(instance))) return 1
  checkHealth(instance)
  checkScripts(instance)
  return 0
}

const status: Subcommand = async (instance) => {
  if (await isMasterRunning(instance)) {
    log.info(`the Postfix mail system is running: PID: ${await masterPid(instance)}`)
    return 0
  }
  log.info('the Postfix mail system is not running')
  return 1
}

const logrotate: Subcommand = async (instance) => {
  await rotateLog(instance)
  return 0
}

const permissions: Subcommand = async (instance) => {
  setPermissions(instance)
  return Promise.resolve(0)
}

export const subcommands: Readonly<Record<string, Subcommand>> = {
  start,
  'start-fg': startForeground,
  stop,
  'quick-stop': quickStop,
  abort,
  drain,
  reload,
  flush,
  check,
  status,
  logrotate,
  'set-permissions': permissions,
}
