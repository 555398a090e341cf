/**
 * postfix(1) - control the mail system: start it, stop it, reload it, check it
 *
 * Also installed as posthorn. For root, or for the owner of a rootless instance (mail_owner is the caller).
 * Source: Postfix 3.7 postfix(1).
 */
import { openLog, flushLog, log } from '@posthorn/log/log'
import { ConfigError } from '@posthorn/config/main-config'
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
  let configDirectory: string | undefined
  const masterOptions: string[] = []
  let at = 0
  for (; at < args.length; at += 1) {
    const argument = args[at] ?? ''
    if (argument === '--') {
      at += 1
      break
    }
    if (!/^-[cDv]/.test(argument)) break
    if (argument.startsWith('-c')) {
      configDirectory = argument.length > 2 ? argument.slice(2) : args[(at += 1)]
      if (configDirectory === undefined)
        throw new CommandError(`option -c wants a directory. Usage: ${USAGE}`)
    } else {
      for (const letter of argument.slice(1)) masterOptions.push(`-${letter}`)
    }
  }
  return { configDirectory, masterOptions, words: args.slice(at) }
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(HELP)
    return 0
  }
  const { configDirectory, masterOptions, words } = parseArguments(args)
  const name = words[0] ?? ''
  const instance = openInstance(configDirectory)
  process.env['MAIL_CONFIG'] = instance.configDirectory
  openLog({ program: 'postfix-script', config: instance.config, stderr: true })
  for (const warning of instance.warnings) log.warning(warning)
  const subcommand = Object.hasOwn(subcommands, name) ? subcommands[name] : undefined
  if (subcommand === undefined) {
    throw new CommandError(`unknown command: '${name}'. Usage: ${USAGE}`)
  }
  process.umask(0o022)
  requireInstalled(instance)
  return subcommand(instance, masterOptions)
}

function report(error: unknown): void {
  if (!(error instanceof CommandError || error instanceof ConfigError)) throw error
  log.error(`fatal: ${error.message}`)
  process.exitCode = 1
}

main(process.argv.slice(2))
  .then((status) => {
    process.exitCode = status
  })
  .catch(report)
  .finally(flushLog)
