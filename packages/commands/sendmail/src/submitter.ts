/**
 * submitter - who is running this command
 *
 * The login name counts only when it belongs to the user who runs us.
 */
import { findUser, findUserById } from '@posthorn/native/user'

export interface Submitter {
  readonly uid: number
  readonly name: string
  /** NAME in the environment, or the user database's. */
  readonly fullName: string
}

/** undefined: there is no such user. */
export function findSubmitter(): Submitter | undefined {
  const uid = process.getuid?.() ?? 0
  const login = process.env['LOGNAME'] ?? ''
  const byName = login === '' ? undefined : findUser(login)
  const user = byName?.uid === uid ? byName : findUserById(uid)
  if (user === undefined) return undefined
  const given = process.env['NAME']
  const fullName =
    given !== undefined && given !== '' ? octetsOf(given) : nameOf(user.gecos, user.name)
  return { uid, name: user.name, fullName }
}

/** The first part of the gecos field; `&` stands for the login name, capitalised. */
function nameOf(gecos: string, login: string): string {
  const capitalised = login.charAt(0).toUpperCase() + login.slice(1)
  return gecos.replace(/[,;%].*$/, '').replaceAll('&', capitalised)
}

/** Text that Node has decoded, back to its octets. */
export function octetsOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
