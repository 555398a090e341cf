/**
 * mailbox-place - where the mailbox of a user is, and with whose rights it is written
 *
 * A home directory belongs to the user. The mail spool directory may be anybody's to write to (then the user's rights
 * do), its group's (then the user's with that group), or root's alone (then root makes the file, and gives it away).
 * Source: Postfix 3.7 local(8), home_mailbox and mail_spool_directory in postconf(5).
 */

import { statSync } from 'node:fs'
import type { Identity } from '@posthorn/delivery/mailbox/mailbox-helper'
import { isMaildir } from '@posthorn/delivery/mailbox/mailbox-job'
import type { UserEntry } from '@posthorn/native/user'
import type { LocalSettings } from './local-settings.ts'

export interface MailboxPlace {
  readonly path: string
  readonly rights: Identity
}

const root: Identity = { uid: 0, gid: 0, name: 'root' }

export function mailboxPlace(settings: LocalSettings, user: UserEntry): MailboxPlace {
  const own: Identity = { uid: user.uid, gid: user.gid, name: user.name }
  if (settings.homeMailbox !== '') {
    return { path: `${user.home}/${settings.homeMailbox}`, rights: own }
  }
  const { spoolDirectory } = settings
  if (isMaildir(spoolDirectory)) {
    return { path: `${spoolDirectory}${user.name}/`, rights: own }
  }
  const path = `${spoolDirectory}/${user.name}`
  // eslint-disable-next-line n/no-sync -- see above
  const stats = statSync(spoolDirectory, { throwIfNoEntry: false })
  const mode = stats?.mode ?? 0o002
  if ((mode & 0o002) !== 0) return { path, rights: own }
  if ((mode & 0o020) !== 0) return { path, rights: { ...own, gid: stats?.gid ?? own.gid } }
  return { path, rights: process.geteuid?.() === 0 ? root : own }
}
