#!/usr/bin/env node
/**
 * master(8) - opens every socket, and starts the daemons that serve them
 *
 * Reads main.cf and master.cf; never touches a connection's octets. Runs as root, or rootless as mail_owner.
 * Ends:   by TERM and the like, with its process group; with one `fatal:` line when it cannot start.
 * Source: Postfix 3.7 master(8).
 */
import { ConfigError } from '@posthorn/config/config-error'
import { MainConfig } from '@posthorn/config/main-config'
import { checkStartup } from '@posthorn/config/startup-checks'
import { runDebugger } from '@posthorn/daemon/debugger'
import { fatal, log, openLog, panic } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { detach, isInBackground, startInBackground, tellReady } from './background.ts'
import { Identity } from './identity.ts'
import { isLockHeld } from './lock-file.ts'
import { Master, MASTER_LOCK, openMasterLog } from './master.ts'
import { parseMasterOptions, UsageError, type MasterOptions } from './master-options.ts'

function loadConfig(options: MasterOptions): MainConfig {
  const directory = options.configDirectory
  const config = MainConfig.load({
    program: 'master',
    ...(directory === undefined ? {} : { directory }),
  })
  process.env['MAIL_CONFIG'] = config.directory
  process.env['MAIL_LOGTAG'] = config.text('syslog_name')
  return config
}

function enterQueueDirectory(config: MainConfig): void {
  const directory = config.text('queue_directory')
  try {
    process.chdir(directory)
  } catch (error) {
    throw new ConfigError(`chdir ${directory}: ${errorReason(error)}`, { cause: error })
  }
}

/** What is said from now on must be in the log when this process is gone. */
let openLastLog = (): void => undefined

async function run(): Promise<void> {
  process.umask(0o077)
  openLog({ program: 'master', stderr: true })
  const options = parseMasterOptions(process.argv.slice(2), process.env)
  if (options.isTest) {
    const config = loadConfig(options)
    Identity.of(config)
    enterQueueDirectory(config)
    process.exitCode = isLockHeld(MASTER_LOCK) ? 1 : 0
    return
  }
  if (options.waits && !isInBackground()) {
    if (await startInBackground()) return
    fatal('daemon initialization failure -- see logs for details')
  }
  const config = loadConfig(options)
  const identity = Identity.of(config)
  detach(options)
  openMasterLog(config, options)
  openLastLog = () => {
    openMasterLog(config, options, true)
  }
  const warnings = [...config.warnings, ...checkStartup(config)]
  for (const warning of warnings) log.warning(warning)
  enterQueueDirectory(config)
  if (options.isDebugged) await runDebugger(config)
  await Master.start(config, options, identity)
  tellReady()
}

process.on('uncaughtException', (error) => {
  panic(`master: ${error.stack ?? error.message}`)
})
run().catch((error: unknown) => {
  openLastLog()
  if (error instanceof ConfigError) for (const warning of error.warnings) log.warning(warning)
  const isOurs = error instanceof ConfigError || error instanceof UsageError
  fatal(isOurs ? error.message : errorReason(error))
})
