/**
 * postlog-options - the command line of postlog(1)
 *
 * Options end at the first word that is none, as with getopt(3). Source: Postfix 3.7 postlog(1).
 */
import { parseOptions } from '@posthorn/config/getopt'
import type { Severity } from '@posthorn/log/log-sink'

export interface PostlogOptions {
  readonly configDirectory: string | undefined
  readonly severity: Severity
  readonly tag: string | undefined
  readonly isVerbose: boolean
  readonly words: readonly string[]
}

export const USAGE = 'usage: postlog [-c config_dir] [-i] [-p priority] [-t tag] [-v] [text]'

/** There is no such priority. */
export class UsageError extends SyntaxError {
  readonly code = 'POSTHORN_USAGE'
}

const SEVERITIES = new Map<string, Severity>([
  ['info', 'info'],
  ['warn', 'warning'],
  ['warning', 'warning'],
  ['error', 'error'],
  ['err', 'error'],
  ['fatal', 'fatal'],
  ['crit', 'fatal'],
  ['panic', 'panic'],
])

function severityOf(name: string): Severity {
  const severity = SEVERITIES.get(name.toLowerCase())
  if (severity === undefined) throw new UsageError(`bad severity value: ${name}`)
  return severity
}

/** @throws {UsageError | OptionError} */
export function parsePostlogOptions(argv: readonly string[]): PostlogOptions {
  const { options, operands } = parseOptions(argv, 'c:ip:t:v')
  const given = new Map(options.map(({ letter, value }) => [letter, value]))
  const severity = given.get('p')
  return {
    configDirectory: given.get('c'),
    severity: severity === undefined ? 'info' : severityOf(severity),
    tag: given.get('t'),
    isVerbose: given.has('v'),
    words: operands,
  }
}
