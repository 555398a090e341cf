/**
 * postlog-options - the command line of postlog(1)
 *
 * Options end at the first word that is none, as with getopt(3). Source: Postfix 3.7 postlog(1).
 */
import type { Severity } from '@posthorn/log/log-sink'

export interface PostlogOptions {
  configDirectory: string | undefined
  severity: Severity
  tag: string | undefined
  isVerbose: boolean
  words: readonly string[]
}

/** The command line is wrong: usage. */
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

/** @throws {UsageError} */
export function parsePostlogOptions(argv: readonly string[]): PostlogOptions {
  let configDirectory: string | undefined
  let severity: Severity = 'info'
  let tag: string | undefined
  let isVerbose = false
  let at = 0
  for (; /^-./.test(argv[at] ?? ''); at++) {
    const word = argv[at] ?? ''
    if (word === '--') {
      at++
      break
    }
    const flags = /^-([iv]*)([cpt]?)([^]*)$/.exec(word)
    if (flags === null)
      throw new UsageError('usage: postlog [-c config_dir] [-p priority] [-t tag] [-v] [text]')
    if (flags[1]?.includes('v') === true) isVerbose = true
    const letter = flags[2] ?? ''
    if (letter === '' && flags[3] !== '') {
      throw new UsageError('usage: postlog [-c config_dir] [-p priority] [-t tag] [-v] [text]')
    }
    if (letter === '') continue
    const value = flags[3] === '' ? argv[++at] : flags[3]
    if (value === undefined) throw new UsageError(`option requires an argument -- '${letter}'`)
    if (letter === 'c') configDirectory = value
    else if (letter === 'p') severity = severityOf(value)
    else tag = value
  }
  return { configDirectory, severity, tag, isVerbose, words: argv.slice(at) }
}
