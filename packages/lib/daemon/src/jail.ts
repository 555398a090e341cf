/**
 * jail - drops privileges at start
 *
 * master(8) starts every daemon as itself; -u and -c on the command line say what to give up: the user (to
 * mail_owner), the file system (to the queue directory). Both before the first octet from a client is read.
 * Rootless: a process that already runs as mail_owner has nothing to give up.
 */
import { ConfigError } from '@posthorn/config/config-error'
import { becomeUser, changeRoot, findUser, type UserEntry } from '@posthorn/native/user'
import type { MainConfig } from '@posthorn/config/main-config'

function mailOwner(config: MainConfig): UserEntry {
  const name = config.text('mail_owner')
  const user = findUser(name)
  if (user === undefined)
    throw new ConfigError(`file main.cf: parameter mail_owner: user ${name} has no passwd entry`)
  return user
}

/**
 * Enters the jail; the working directory is the queue directory.
 * @throws {ConfigError} mail_owner is unknown, or myorigin cannot be had; {SystemError} privileges cannot be dropped: the process must end
 */
export function enterJail(
  config: MainConfig,
  wanted: { isUnprivileged: boolean; isChrooted: boolean },
): void {
  // the file that myorigin may name is outside, too
  config.origin()
  const isRoot = process.geteuid?.() === 0
  // the user data base is outside the jail
  const owner = wanted.isUnprivileged ? mailOwner(config) : undefined
  if (wanted.isChrooted && isRoot) {
    changeRoot('.')
    process.chdir('/')
  }
  if (owner === undefined || process.geteuid?.() === owner.uid) return
  becomeUser(owner)
}
