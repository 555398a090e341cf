/**
 * daemon-options - the command line that master(8) gives to a child
 *
 * Every daemon takes the same options; parsing stops at the first word that is none, and the rest is the
 * program's own. Source: Postfix 3.7.
 */

export interface DaemonOptions {
  isChrooted: boolean
  /** -d: a terminal on standard input is no mistake. */
  isOnTerminal: boolean
  isDebugged: boolean
  isAlone: boolean
  serviceName: string | undefined
  /** -o, and -i and -m, which override max_idle and max_use; the later wins. */
  overrides: readonly [string, string][]
  retireSeconds: number
  listeners: number
  isOneShot: boolean
  transport: string | undefined
  isUnprivileged: boolean
  verbosity: number
  isOnStderr: boolean
  isUnlimited: boolean
  args: readonly string[]
}

/** The command line is not one that master(8) would give. */
export class OptionError extends SyntaxError {
  readonly code = 'POSTHORN_DAEMON_OPTION'
}

const WITH_VALUE = new Set(['i', 'm', 'n', 'o', 'r', 's', 't'])

function countOf(letter: string, text: string, least: number): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least) {
    throw new OptionError(`Cannot parse option -${letter} "${text}": want a number from ${least}`)
  }
  return Number(text)
}

function overrideOf(text: string): [string, string] {
  const found = /^\s*([^=\s]+)\s*=\s*([^]*?)\s*$/.exec(text)
  if (found === null) throw new OptionError(`Cannot parse option -o "${text}": want name=value`)
  return [found[1] ?? '', found[2] ?? '']
}

/** @throws {OptionError} unknown option, or a value missing or malformed */
export function parseDaemonOptions(argv: readonly string[]): DaemonOptions {
  const overrides: [string, string][] = []
  const options: DaemonOptions = {
    isChrooted: false,
    isOnTerminal: false,
    isDebugged: false,
    isAlone: false,
    serviceName: undefined,
    overrides,
    retireSeconds: 0,
    listeners: 1,
    isOneShot: false,
    transport: undefined,
    isUnprivileged: false,
    verbosity: 0,
    isOnStderr: false,
    isUnlimited: false,
    args: [],
  }
  const setValue = (letter: string, value: string): void => {
    switch (letter) {
      case 'i':
        overrides.push(['max_idle', value])
        break
      case 'm':
        overrides.push(['max_use', value])
        break
      case 'n':
        options.serviceName = value
        break
      case 'o':
        overrides.push(overrideOf(value))
        break
      case 'r':
        options.retireSeconds = countOf(letter, value, 1)
        break
      case 's':
        options.listeners = countOf(letter, value, 1)
        break
      default:
        options.transport = value.toLowerCase()
    }
  }
  const setFlag = (letter: string): void => {
    switch (letter) {
      case 'c':
        options.isChrooted = true
        break
      case 'd':
        options.isOnTerminal = true
        break
      case 'D':
        options.isDebugged = true
        break
      case 'l':
        options.isAlone = true
        break
      case 'S':
        options.isOneShot = true
        break
      case 'u':
        options.isUnprivileged = true
        break
      case 'v':
        options.verbosity++
        break
      case 'V':
        options.isOnStderr = true
        break
      case 'z':
        options.isUnlimited = true
        break
      default:
        throw new OptionError(`invalid option: -${letter}`)
    }
  }
  let at = 0
  while (at < argv.length) {
    const word = argv[at] ?? ''
    if (!/^-./.test(word)) break
    at++
    if (word === '--') break
    for (let i = 1; i < word.length; i++) {
      const letter = word.charAt(i)
      if (!WITH_VALUE.has(letter)) {
        setFlag(letter)
        continue
      }
      const value = i + 1 < word.length ? word.slice(i + 1) : argv[at++]
      if (value === undefined) throw new OptionError(`option -${letter} requires a value`)
      setValue(letter, value)
      break
    }
  }
  return { ...options, args: argv.slice(at) }
}
