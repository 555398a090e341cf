/**
 * config-directory - which directory has main.cf, and who may choose another
 *
 * Order: command line, MAIL_CONFIG, /etc/postfix. Commands with -c or -C put the choice into MAIL_CONFIG, so that
 * what they start makes the same one.
 */
import { readFileSync } from 'node:fs'
import { splitAssignment } from './assignment.ts'
import { ConfigError } from './config-error.ts'
import { readLogicalLines } from './logical-lines.ts'
import { splitWords } from './split-list.ts'

export const DEFAULT_CONFIG_DIRECTORY = '/etc/postfix'

/** MAIL_CONFIG, or the default. */
export function selectConfigDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const chosen = env['MAIL_CONFIG']
  return chosen === undefined || chosen === '' ? DEFAULT_CONFIG_DIRECTORY : chosen
}

/**
 * Has this program rights that its caller lacks? Then the caller must not choose what it reads. Not so when the
 * caller is root, who could read and run everything anyway.
 */
export function hasBorrowedRights(): boolean {
  if (process.getuid?.() === 0 && process.geteuid?.() === 0) return false
  return process.getuid?.() !== process.geteuid?.() || process.getgid?.() !== process.getegid?.()
}

/**
 * A directory other than the default is for root, and for everybody when the default main.cf lists it under
 * alternate_config_directories or multi_instance_directories. That file is read without `$` expansion.
 * @throws {ConfigError} it is not listed
 */
export function requireAuthorizedDirectory(
  directory: string,
  defaultDirectory = DEFAULT_CONFIG_DIRECTORY,
): void {
  if (directory === defaultDirectory) return
  const path = `${defaultDirectory}/main.cf`
  // eslint-disable-next-line n/no-sync -- a small file, once at the start of a command
  const source = readFileSync(path, 'latin1')
  for (const { text } of readLogicalLines(source, path, () => undefined)) {
    const found = splitAssignment(text)
    if (found.kind !== 'assignment') continue
    const isList =
      found.name === 'alternate_config_directories' || found.name === 'multi_instance_directories'
    if (isList && splitWords(found.value).includes(directory)) return
  }
  throw new ConfigError(
    `specify "alternate_config_directories = ${directory}" or "multi_instance_directories = ${directory}" in ${path}`,
    { warnings: [`unauthorized configuration directory name: ${directory}`] },
  )
}
