/**
 * identity - who runs master, and doing things as mail_owner
 *
 * Sockets, FIFOs and the lock in data_directory belong to mail_owner. A rootless instance is run by mail_owner itself (who
 * may be root) and never changes identity. Source: docs/architecture.md 3.
 */
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import { findUser } from '@posthorn/native/user'

export class Identity {
  readonly #owner: { uid: number; gid: number }
  readonly isRootless: boolean

  private constructor(owner: { uid: number; gid: number }, isRootless: boolean) {
    this.#owner = owner
    this.isRootless = isRootless
  }

  /** @throws {ConfigError} there is no such user, or the caller is neither root nor mail_owner */
  static of(config: MainConfig): Identity {
    const name = config.text('mail_owner')
    const owner = findUser(name)
    if (owner === undefined) {
      throw new ConfigError(
        `file ${config.directory}/main.cf: parameter mail_owner: unknown user name value: ${name}`,
      )
    }
    const uid = process.getuid?.()
    if (uid !== process.geteuid?.()) {
      throw new ConfigError('the master command must not run as a set-uid process')
    }
    const isRootless = uid === owner.uid
    if (uid !== 0 && !isRootless) {
      throw new ConfigError(
        `the master command is reserved for the superuser, and for mail_owner (${name})`,
      )
    }
    return new Identity(owner, isRootless)
  }

  /** Runs `action` with the effective user and group of mail_owner. It must not wait for anything. */
  asMailOwner<Result>(action: () => Result): Result {
    if (this.isRootless) return action()
    process.setgroups?.([this.#owner.gid])
    process.setegid?.(this.#owner.gid)
    process.seteuid?.(this.#owner.uid)
    try {
      return action()
    } finally {
      process.seteuid?.(0)
      process.setegid?.(0)
      process.setgroups?.([0])
    }
  }
}
