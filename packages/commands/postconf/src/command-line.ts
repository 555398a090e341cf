/**
 * command-line - the options of postconf(1), and which go together
 *
 * Source: Postfix 3.7 postconf(1), and the command itself for its messages.
 */
import { ConfigError } from '@posthorn/config/config-error'
import { splitAssignment } from '@posthorn/config/assignment'
import { OptionError, parseOptions } from '@posthorn/config/getopt'
import { splitWords } from '@posthorn/config/split-list'
import { PARAMETER_CLASSES, type ParameterClass } from './parameter-catalog.ts'

const SPECIFICATION = 'aAbc:C:deEfFhHlmMno:pPqtT:vxX#'

const USAGE =
  'usage: postconf [-a (server SASL types)] [-A (client SASL types)] [-b (bounce templates)] [-c config_dir] ' +
  '[-c param_class] [-d (parameter defaults)] [-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)] ' +
  '[-h (no names)] [-H (no values)] [-l (lock types)] [-m (map types)] [-M (master.cf)] ' +
  '[-n (non-default parameters)] [-o name=value (override parameter value)] [-p (main.cf, default)] ' +
  '[-P (master.cf parameters)] [-t (bounce templates)] [-T compile-version|run-version|public-key-algorithms] ' +
  '[-v (verbose)] [-x (expand parameter values)] [-X (exclude)] [-# (comment-out)] [name...]'

/** Groups of which one option may be given. */
const EXCLUSIVE = [
  'aAblmtpMFPT',
  'den#X',
  'fe',
  'f#',
  'fX',
  'xe',
  'x#',
  'xX',
  'he',
  'h#',
  'hX',
  'hH',
  'od',
  'oe',
  'o#',
  'oX',
]

/** What each mode puts up with besides -c, -C and -v. */
const ALLOWED = new Map([
  ['p', 'eX#fhHxdnoq'],
  ['M', 'eX#foxq'],
  ['F', 'efhHoxq'],
  ['P', 'eXfhHoxq'],
])

export type Mode = 'p' | 'M' | 'F' | 'P' | 'a' | 'A' | 'b' | 'l' | 'm' | 't' | 'T'
export type Edit = 'e' | 'X' | '#'

export interface PostconfRequest {
  readonly mode: Mode
  readonly edit: Edit | undefined
  /** -d, -n, or both kinds. */
  readonly show: 'all' | 'defaults' | 'settings'
  readonly isExpanded: boolean
  readonly isFolded: boolean
  readonly hidesName: boolean
  readonly hidesValue: boolean
  readonly isQuiet: boolean
  readonly classes: ReadonlySet<ParameterClass>
  /** Of -o, as given: main.cf is read first, and may be wrong. */
  readonly overrides: readonly string[]
  /** From -c. */
  readonly directory: string | undefined
  /** Of -T. */
  readonly tlsQuery: string
  readonly operands: readonly string[]
}

/** The command line makes no sense; the messages are printed as `fatal:` after the getopt(3) line, if any. */
export class UsageError extends ConfigError {
  /** Printed without a level: what getopt(3) says. */
  readonly complaint: string | undefined

  constructor(message: string, complaint?: string) {
    super(message)
    this.complaint = complaint
  }
}

/** @throws {UsageError} {@link ConfigError} a malformed -o */
export function parseCommandLine(argv: readonly string[]): PostconfRequest {
  const { options, operands } = readOptions(argv)
  const given = options.map((option) => option.letter).join('')
  const has = (letter: string): boolean => given.includes(letter)
  const valuesOf = (letter: string): string[] =>
    options.filter((option) => option.letter === letter).map(({ value }) => value)
  const classes = classesOf(valuesOf('C'))
  if (has('b') && has('t')) throw new UsageError('specify one of -b and -t')
  checkExclusive(given)
  const mode = modeOf(given)
  const isImpliedEdit = operands[0]?.includes('=') ?? false
  const edit = (['e', 'X', '#'] as const).find(has)
  if (isImpliedEdit && edit !== 'e' && 'pMFP'.includes(mode)) checkExclusive(`${given}e`)
  checkAllowed(mode, given)
  return {
    mode,
    edit: edit ?? (isImpliedEdit && 'pMFP'.includes(mode) ? 'e' : undefined),
    show: has('d') ? 'defaults' : has('n') ? 'settings' : 'all',
    isExpanded: has('x'),
    isFolded: has('f'),
    hidesName: has('h'),
    hidesValue: has('H'),
    isQuiet: has('q'),
    classes,
    overrides: valuesOf('o'),
    directory: valuesOf('c').at(-1),
    tlsQuery: valuesOf('T').at(-1) ?? '',
    operands,
  }
}

function readOptions(argv: readonly string[]): ReturnType<typeof parseOptions> {
  try {
    return parseOptions(argv, SPECIFICATION)
  } catch (error) {
    if (error instanceof OptionError) throw new UsageError(USAGE, error.message)
    throw error
  }
}

/** @throws {ConfigError} */
export function parameterOverride(text: string): readonly [string, string] {
  const found = splitAssignment(text)
  if (found.kind === 'assignment') return [found.name, found.value]
  throw new ConfigError(`invalid parameter override: ${text}: ${found.why}`)
}

/** The last list counts, but each must make sense. */
function classesOf(lists: readonly string[]): ReadonlySet<ParameterClass> {
  let found = new Set<ParameterClass>(PARAMETER_CLASSES)
  for (const list of lists) {
    found = new Set()
    for (const word of splitWords(list)) {
      const known = PARAMETER_CLASSES.find((one) => one === word.toLowerCase())
      if (known) found.add(known)
      else if (word.toLowerCase() === 'all') PARAMETER_CLASSES.forEach((one) => found.add(one))
      else throw new UsageError(`unknown -C option value "${word}" in "${list}"`)
    }
  }
  return found
}

function checkExclusive(given: string): void {
  for (const group of EXCLUSIVE) {
    const clash = Array.from(SPECIFICATION).filter(
      (one) => group.includes(one) && given.includes(one),
    )
    if (clash.length > 1)
      throw new UsageError(`specify one of ${clash.map((letter) => `-${letter}`).join(' ')}`)
  }
}

function modeOf(given: string): Mode {
  return (
    (['M', 'F', 'P', 'a', 'A', 'b', 'l', 'm', 't', 'T'] as const).find((one) =>
      given.includes(one),
    ) ?? 'p'
  )
}

function checkAllowed(mode: Mode, given: string): void {
  const allowed = `${ALLOWED.get(mode) ?? ''}${mode}cCv`
  const refused = Array.from(given).find((letter) => !allowed.includes(letter))
  if (refused !== undefined) {
    throw new UsageError(`with option -${mode}, do not specify -${refused}`)
  }
}
