/**
 * debugger - runs debugger_command on this process (-D, MAIL_DEBUG)
 *
 * The command finds the process by `$process_name` and `$process_id`, which are expanded in it like any parameter. This
 * process waits for it: `command & sleep 5` gives a debugger time to attach. It runs with the privileges that the process
 * has at that moment, in the environment that import_environment allows, so without PATH. How it ends does not matter.
 * Source: Postfix 3.7 postconf(5) debugger_command, DEBUG_README.
 */
import { ConfigError } from '@posthorn/config/config-error'
import { filteredEnvironment } from '@posthorn/config/environment'
import type { MainConfig } from '@posthorn/config/main-config'
import { flushLog, log } from '@posthorn/log/log'

/** @throws {ConfigError} there is no command */
export async function runDebugger(config: MainConfig): Promise<void> {
  const command = config.expanded('debugger_command')
  if (command === '') throw new ConfigError('no debugger_command variable set up')
  log.info(`running: ${command}`)
  flushLog()
  const env = filteredEnvironment(config, 'import_environment', {
    ...process.env,
    MAIL_CONFIG: config.directory,
    MAIL_LOGTAG: config.text('syslog_name'),
  })
  // a module that hardly any process needs
  const { spawnSync } = await import('node:child_process')
  // eslint-disable-next-line n/no-sync -- the whole process waits, so that a debugger sees it from the start
  spawnSync('/bin/sh', ['-c', command], { env, stdio: 'inherit' })
}
