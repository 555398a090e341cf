/**
 * instance - the mail system that a command is about: its configuration, its owner, its programs
 *
 * A rootless instance is one whose mail_owner is the user who runs the command. It needs no root, and
 * ownership is neither changed nor checked: every file belongs to that one user.
 */
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs'
import { MainConfig } from '@posthorn/config/main-config'
import { PROGRAM_DIRECTORIES } from '@posthorn/config/program-directories'
import { checkStartup } from '@posthorn/config/startup-checks'
import { log } from '@posthorn/log/log'
import { findGroup, findUser } from '@posthorn/native/user'

/* eslint-disable n/no-sync -- a command that runs once, before it does anything else */

/** A reason why the command cannot go on; printed as `fatal: …`, exit status 1. */
export class CommandError extends Error {
  readonly code = 'POSTHORN_COMMAND'
}

export interface Instance {
  readonly config: MainConfig
  readonly configDirectory: string
  readonly queueDirectory: string
  readonly daemonDirectory: string
  readonly commandDirectory: string
  readonly owner: { readonly uid: number; readonly gid: number }
  /** Group of maildrop/ and public/; undefined in a rootless instance without that group. */
  readonly setgidGroup: number | undefined
  readonly isRootless: boolean
  /** What main.cf gives cause to warn about. */
  readonly warnings: readonly string[]
}

/**
 * Reads main.cf and finds the users it names.
 * @throws {ConfigError} a parameter makes no sense
 * @throws {CommandError} mail_owner or setgid_group is unknown, or the caller may not run this instance
 */
export function openInstance(configDirectory: string | undefined): Instance {
  const config = MainConfig.load(
    configDirectory === undefined ? {} : { directory: configDirectory },
  )
  const warnings = [...config.warnings, ...checkStartup(config)]
  const ownerName = config.text('mail_owner')
  const owner = findUser(ownerName)
  if (owner === undefined) {
    throw new CommandError(
      `file ${config.directory}/main.cf: parameter mail_owner: unknown user name value: ${ownerName}`,
    )
  }
  const caller = process.getuid?.() ?? 0
  const isRootless = owner.uid === caller
  if (!isRootless && caller !== 0) {
    throw new CommandError('the postfix command is reserved for the superuser')
  }
  const groupName = config.text('setgid_group')
  const group = findGroup(groupName)
  if (group === undefined && !isRootless) {
    throw new CommandError(
      `file ${config.directory}/main.cf: parameter setgid_group: unknown group name: ${groupName}`,
    )
  }
  return {
    config,
    configDirectory: config.directory,
    queueDirectory: config.text('queue_directory'),
    daemonDirectory: config.text('daemon_directory'),
    commandDirectory: config.text('command_directory'),
    owner: { uid: owner.uid, gid: owner.gid },
    setgidGroup: isRootless ? undefined : group?.gid,
    isRootless,
    warnings,
  }
}

/**
 * What every subcommand needs before it does anything.
 * @throws {CommandError} a directory or the master program is missing
 */
export function requireInstalled(instance: Instance): void {
  const directories: readonly (readonly [string, string])[] = [
    ['command', instance.commandDirectory],
    ['daemon', instance.daemonDirectory],
    ['configuration', instance.configDirectory],
  ]
  for (const [what, path] of directories) {
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
      throw new CommandError(`no Postfix ${what} directory ${path}!`)
    }
  }
  const master = `${instance.daemonDirectory}/master`
  try {
    accessSync(master, constants.X_OK)
  } catch (error) {
    throw new CommandError(`cannot execute ${master}!`, { cause: error })
  }
  const own = `${PROGRAM_DIRECTORIES.daemon}/master`
  if (existsSync(own) && realpathSync(own) !== realpathSync(master)) {
    log.warning(
      `daemon_directory = ${instance.daemonDirectory} has other programs than those of this command, ` +
        `which are in ${PROGRAM_DIRECTORIES.daemon}`,
    )
  }
}

/** The environment that programs started by this command see: where the configuration is, and a safe PATH. */
export function childEnvironment(instance: Instance): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name, value]) => /^(TZ|LANG|MAIL_.*|POSTLOG_.*)$/.test(name) && value !== undefined,
  )
  return {
    ...(Object.fromEntries(kept) as Record<string, string>),
    MAIL_CONFIG: instance.configDirectory,
    MAIL_LOGTAG: instance.config.text('syslog_name'),
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  }
}
