/**
 * unix-table - `unix:passwd.byname` and `unix:group.byname`: users and groups of the system
 *
 * Values have the form of a line of passwd(5) and group(5). The members of a group are not told: the system's lookup
 * that we use does not give them, and no parameter of Postfix needs them.
 */
import { findGroup, findUser } from '@posthorn/native/user'
import { ABSENT, found, type LookupTable } from './lookup-table.ts'
import type { TableSource } from './open-table.ts'
import { TableOpenError } from './table-error.ts'

export function openUnixTable({ reference, name, fold }: TableSource): LookupTable {
  const describe =
    name === 'passwd.byname' ? passwdLine : name === 'group.byname' ? groupLine : undefined
  if (describe === undefined) throw new TableOpenError(`unknown table: ${reference}`)
  return {
    name: reference,
    isPattern: false,
    find: (key) => {
      const line = describe(fold(key))
      return line === undefined ? ABSENT : found(line)
    },
  }
}

function passwdLine(name: string): string | undefined {
  const user = findUser(name)
  return user && [user.name, 'x', user.uid, user.gid, user.gecos, user.home, user.shell].join(':')
}

function groupLine(name: string): string | undefined {
  const group = findGroup(name)
  return group && `${group.name}:x:${group.gid}:`
}
