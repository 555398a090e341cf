/**
 * authorization - may this user look at the queue, or hurry it
 *
 * authorized_mailq_users and authorized_flush_users are lists of user names. The superuser always may.
 * Source: Postfix 3.7 postqueue(1).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { findUserById } from '@posthorn/native/user'
import { StringList } from '@posthorn/tables/match-list'
import { fail } from './fail.ts'

export async function requireAuthorization(
  config: MainConfig,
  parameter: 'authorized_mailq_users' | 'authorized_flush_users',
): Promise<void> {
  const uid = process.getuid?.() ?? 0
  if (uid === 0) return
  const name = findUserById(uid)?.name ?? 'unknown'
  const users = StringList.open(parameter, config.text(parameter), { config })
  if (await users.matches(name)) return
  const what = parameter === 'authorized_mailq_users' ? 'view' : 'flush'
  fail(`User ${name}(${uid}) is not allowed to ${what} the mail queue`)
}
