/**
 * postfix(1) - control the mail system: start it, stop it, reload it, check it
 *
 * Also installed as posthorn. For root, or for the owner of a rootless instance (mail_owner is the caller).
 * Says what it does to the log and to a terminal; scripts hear only why it failed, and get the exit status.
 * Source: Postfix 3.7 postfix(1).
 */
import { isatty } from 'node:tty'
import { flushLog, log, logAt, openLog } from '@posthorn/log/log'
import { OptionError, parseOptions } from '@posthorn/config/getopt'
import { ConfigError, type MainConfig } from '@posthorn/config/main-config'
import { CommandError, openInstance, requireInstalled } from './instance.ts'
import { subcommands } from './subcommands.ts'

const USAGE =
  'postfix start (or stop, reload, abort, flush, check, status, set-permissions, upgrade-configuration, logrotate)'

const HELP = `Usage: postfix [-Dv] [-c config_dir] command

Commands:
  start             start the mail system, after a check
  start-fg          the same, with master in the foreground
  stop              stop: let what runs finish, for at most five seconds
  quick-stop        stop, and skip the check at the next start
  abort             stop at once
  drain             stop accepting; let what runs finish
  reload            read the configuration again
  flush             try to deliver everything in the deferred queue
  check             create missing directories, warn about owners and modes
  status            is it running?
  logrotate         set the log file aside and compress it
  set-permissions   set owners and modes of the queue directories

Options:
  -c config_dir     use the main.cf and master.cf in this directory
  -D                (with start) run daemons under debugger_command
  -v                log more; repeat for still more
`

interface Invocation {
  readonly configDirectory: string | undefined
  readonly masterOptions: readonly string[]
  readonly words: readonly string[]
}

function parseArguments(args: readonly string[]): Invocation {
  try {
    const { options, operands } = parseOptions(args, 'c:Dv')
    return {
      configDirectory: options.findLast(({ letter }) => letter === 'c')?.value,
      masterOptions: options
        .filter(({ letter }) => letter !== 'c')
        .map(({ letter }) => `-${letter}`),
      words: operands,
    }
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    process.stderr.write(`postfix: ${error.message}\n`)
    throw new CommandError('usage: postfix [-c config_dir] [-Dv] command')
  }
}

async function main(args: readonly string[]): Promise<number> {
  if (args[0] === '--help') {
    process.stdout.write(HELP)
    return 0
  }
  const { configDirectory, masterOptions, words } = parseArguments(args)
  const name = words[0] ?? ''
  const instance = openInstance(configDirectory)
  process.env['MAIL_CONFIG'] = instance.configDirectory
  openScriptLog(instance.config)
  for (const warning of instance.warnings) log.warning(warning)
  const subcommand = Object.hasOwn(subcommands, name) ? subcommands[name] : undefined
  if (subcommand === undefined) {
    throw new CommandError(`unknown command: '${name}'. Usage: ${USAGE}`)
  }
  process.umask(0o022)
  requireInstalled(instance)
  return subcommand(instance, masterOptions)
}

function openScriptLog(config: MainConfig): void {
  const tag = `${config.text('syslog_name')}/postfix-script`
  openLog({ program: 'postfix-script', tag, config, stderr: isatty(2) })
}

function report(error: unknown): void {
  if (!(error instanceof CommandError || error instanceof ConfigError)) throw error
  if (error instanceof ConfigError) for (const line of error.warnings) log.error(line)
  logAt('fatal', error.message)
  if (!isatty(2)) process.stderr.write(`postfix: fatal: ${error.message}\n`)
  process.exitCode = 1
}

openLog({ program: 'postfix', tag: 'postfix', stderr: isatty(2) })
main(process.argv.slice(2))
  .then((status) => {
    process.exitCode = status
  })
  .catch(report)
  .finally(flushLog)
