/**
 * daemon-options - the command line that master(8) gives to a child
 *
 * Every daemon takes the same options, but -r only a service that answers clients, and -S none that receives datagrams.
 * Parsing stops at the first word that is no option; the rest is the program's own. Texts are those of Postfix 3.7.
 */
import { splitAssignment } from '@posthorn/config/assignment'
import type { ServiceKind } from './service.ts'

export interface DaemonOptions {
  isChrooted: boolean
  /** -d: a terminal on standard input is no mistake. */
  isOnTerminal: boolean
  /** -D: debugger_command is run first. */
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
  /** -V stood before the mistake: the line goes to standard error, too. */
  readonly isOnStderr: boolean

  constructor(message: string, isOnStderr: boolean) {
    super(message)
    this.isOnStderr = isOnStderr
  }
}

const FLAGS = {
  c: 'isChrooted',
  d: 'isOnTerminal',
  D: 'isDebugged',
  l: 'isAlone',
  S: 'isOneShot',
  u: 'isUnprivileged',
  V: 'isOnStderr',
  z: 'isUnlimited',
} as const

type Flag = keyof typeof FLAGS

const WITH_VALUE = new Set(['i', 'm', 'n', 'o', 'r', 's', 't'])

function isKnown(letter: string, kind: ServiceKind): boolean {
  if (letter === 'r') return kind === 'single' || kind === 'event'
  if (letter === 'S') return kind !== 'datagram'
  return letter === 'v' || letter in FLAGS || WITH_VALUE.has(letter)
}

class OptionParser {
  readonly overrides: [string, string][] = []
  readonly options: DaemonOptions = {
    isChrooted: false,
    isOnTerminal: false,
    isDebugged: false,
    isAlone: false,
    serviceName: undefined,
    overrides: this.overrides,
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

  error(text: string): OptionError {
    return new OptionError(text, this.options.isOnStderr)
  }

  setFlag(letter: string): void {
    if (letter === 'v') this.options.verbosity++
    else this.options[FLAGS[letter as Flag]] = true
  }

  setValue(letter: string, value: string): void {
    switch (letter) {
      case 'i':
        this.overrides.push(['max_idle', value])
        break
      case 'm':
        this.overrides.push(['max_use', value])
        break
      case 'n':
        this.options.serviceName = value
        break
      case 'o':
        this.overrides.push(this.#overrideOf(value))
        break
      case 'r':
        this.options.retireSeconds = this.#countOf('retirement time', value)
        break
      case 's':
        this.options.listeners = this.#countOf('socket_count', value)
        break
      default:
        this.options.transport = value.toLowerCase()
    }
  }

  /** As atoi(3): `5s` is 5. */
  #countOf(what: string, text: string): number {
    const digits = /^\s*(\d{1,9})/.exec(text)?.[1] ?? '0'
    if (Number(digits) < 1) throw this.error(`invalid ${what}: ${text}`)
    return Number(digits)
  }

  #overrideOf(text: string): [string, string] {
    const found = splitAssignment(text)
    if (found.kind === 'assignment') return [found.name, found.value]
    throw this.error(`invalid "-o ${text}" option value: ${found.why}`)
  }
}

/** @throws {OptionError} unknown option, or a value missing or malformed */
export function parseDaemonOptions(
  argv: readonly string[],
  kind: ServiceKind = 'single',
): DaemonOptions {
  const parser = new OptionParser()
  let at = 0
  while (at < argv.length) {
    const word = argv[at] ?? ''
    if (!/^-./.test(word)) break
    at++
    if (word === '--') break
    for (let i = 1; i < word.length; i++) {
      const letter = word.charAt(i)
      if (!isKnown(letter, kind)) throw parser.error(`invalid option: ${letter}`)
      if (!WITH_VALUE.has(letter)) {
        parser.setFlag(letter)
        continue
      }
      const value = i + 1 < word.length ? word.slice(i + 1) : argv[at++]
      if (value === undefined) throw parser.error(`invalid option: ${letter}`)
      parser.setValue(letter, value)
      break
    }
  }
  return { ...parser.options, args: argv.slice(at) }
}
