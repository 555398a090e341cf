/**
 * environment - what import_environment and export_environment let through
 *
 * Items: `NAME` copies a variable that is set, `NAME=value` sets one, `{ NAME = value with blanks }` too.
 * Source: Postfix 3.7 postconf(5).
 */
import { unbrace } from './braces.ts'
import { ConfigError } from './config-error.ts'
import { splitAssignment } from './assignment.ts'
import type { MainConfig } from './main-config.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** The environment of a process that may have nothing but what the list names. @throws {ConfigError} bad braces */
export function filteredEnvironment(
  config: MainConfig,
  parameter: 'import_environment' | 'export_environment',
  current: Variables = process.env,
): Record<string, string> {
  const result: Record<string, string> = {}
  for (const item of config.list(parameter)) {
    const text = item.startsWith('{') ? insideBraces(parameter, item) : item
    if (text.includes('=')) {
      const found = splitAssignment(text)
      if (found.kind === 'malformed') throw new ConfigError(`${parameter}: ${found.why}`)
      result[found.name] = found.value
    } else {
      const value = current[text]
      if (value !== undefined) result[text] = value
    }
  }
  return result
}

/** Only the `NAME=value` items of the list are applied; nothing is erased. */
export function assignedEnvironment(
  config: MainConfig,
  parameter: 'import_environment' | 'export_environment',
): Record<string, string> {
  return filteredEnvironment(config, parameter, {})
}

function insideBraces(parameter: string, item: string): string {
  const inside = unbrace(item)
  if (inside.kind === 'malformed') throw new ConfigError(`${parameter}: ${inside.why}`)
  return inside.text
}
