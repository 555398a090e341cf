/**
 * luser-relay - who gets the mail of users that do not exist
 *
 * The setting is expanded for each recipient: `$local@other.example`, `postmaster+unknown_$user`.
 * Source: Postfix 3.7 luser_relay in postconf(5).
 */
import { splitAddress, type SplitExtension } from '@posthorn/address/split-address'
import { expandMacros } from '@posthorn/config/expand-macros'

/** @throws {MacroError} the setting is malformed */
export function expandLuserRelay(
  luserRelay: string,
  recipient: string,
  split: SplitExtension,
): string {
  const { local, domain } = splitAddress(recipient)
  const values = new Map([
    ['domain', domain ?? ''],
    ['extension', split.extension],
    ['local', local],
    ['recipient', recipient],
    ['recipient_delimiter', split.delimiter],
    ['user', split.user],
  ])
  return expandMacros(luserRelay, (name) => values.get(name), { isRecursive: false })
}
