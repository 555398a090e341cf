/**
 * file-layout - which directories a mail system has, who owns them, and with which modes
 *
 * The table that `postfix start`, `check` and `set-permissions` share. Modes are what the daemons rely on:
 * access to sockets is governed by the modes of private/ and public/ alone.
 * Source: Postfix 3.7 postfix-files.
 */
import type { MainConfig } from '@posthorn/config/main-config'

export interface DirectoryRule {
  readonly path: string
  readonly owner: 'root' | 'mail_owner'
  readonly group: 'setgid_group' | undefined
  readonly mode: number
}

/** Queue directories that only daemons enter; they hold message files or per-message logs. */
export const QUEUE_DIRECTORIES = [
  'active',
  'bounce',
  'corrupt',
  'defer',
  'deferred',
  'flush',
  'hold',
  'incoming',
  'saved',
  'spare',
  'trace',
] as const

/** Every directory that may be created when it is missing, parents first. */
export function requiredDirectories(config: MainConfig): DirectoryRule[] {
  const queue = config.text('queue_directory')
  const rule = (
    path: string,
    owner: DirectoryRule['owner'],
    mode: number,
    group?: 'setgid_group',
  ): DirectoryRule => ({ path, owner, group, mode })
  return [
    rule(config.text('data_directory'), 'mail_owner', 0o700),
    rule(queue, 'root', 0o755),
    ...QUEUE_DIRECTORIES.map((name) => rule(`${queue}/${name}`, 'mail_owner', 0o700)),
    rule(`${queue}/private`, 'mail_owner', 0o700),
    rule(`${queue}/maildrop`, 'mail_owner', 0o730, 'setgid_group'),
    rule(`${queue}/public`, 'mail_owner', 0o710, 'setgid_group'),
    rule(`${queue}/pid`, 'root', 0o755),
  ]
}
