/**
 * user - accounts, and becoming one
 *
 * Source: getpwnam_r(3), initgroups(3), setuid(2). All threads of the process change identity together.
 */
import { native } from './load.ts'
import { checked, failure } from './system-error.ts'

export interface UserEntry {
  name: string
  uid: number
  gid: number
  home: string
  shell: string
  gecos: string
}

export interface GroupEntry {
  name: string
  gid: number
}

function entry<T extends object>(found: T | number | undefined): T | undefined {
  if (typeof found === 'number') throw failure(found)
  return found
}

/** undefined: no such account. @throws {SystemError} the accounts could not be asked: try again later */
export function findUser(name: string): UserEntry | undefined {
  return isName(name) ? entry(native.findUser(name)) : undefined
}

export function findUserById(uid: number): UserEntry | undefined {
  return entry(native.findUserById(uid))
}

export function findGroup(name: string): GroupEntry | undefined {
  return isName(name) ? entry(native.findGroup(name)) : undefined
}

/** A recipient's local part can be anything; nobody is called that. */
function isName(name: string): boolean {
  return name !== '' && name.length < 1024 && !name.includes('\0')
}

/**
 * Takes on the identity for good: setgid, initgroups, setuid.
 * @throws {SystemError} EPERM; the process may then have part of the new identity and should end
 */
export function becomeUser(user: { uid: number; gid: number; name: string }): void {
  checked(native.becomeUser(user.name, user.uid, user.gid))
}

/** chroot(2), and changes into it. */
export function changeRoot(path: string): void {
  checked(native.changeRoot(path))
}

/** setsid(2): leaves the process group, and any terminal. @throws {SystemError} EPERM: leads a group already */
export function startSession(): void {
  checked(native.startSession())
}

/** The umask applies. */
export function makeFifo(path: string, mode: number): void {
  checked(native.makeFifo(path, mode))
}
