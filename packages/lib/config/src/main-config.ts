/**
 * main-config - main.cf: what is set, what is not, what it means
 *
 * The file is read at once and lexed in one pass; everything else happens when a parameter is asked for: a
 * program pays for what it uses. `-o` overrides win over main.cf, main.cf over the registry's defaults.
 * `$name` sees every default, as in postconf(1). Values are latin1 octets.
 * Sources: Postfix 3.7 postconf(5), postconf(1).
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { splitAssignment } from './assignment.ts'
import { ConfigError } from './config-error.ts'
import { selectConfigDirectory } from './config-directory.ts'
import { checkLength, toBoolean, toInteger, toKeyword, toSeconds } from './convert-value.ts'
import { expandMacros, MacroError, MacroOverflowError } from './expand-macros.ts'
import { defaultDomain, defaultHostname, defaultNetworks } from './host-identity.ts'
import { readLogicalLines, trimSpace } from './logical-lines.ts'
import { readMailOrigin } from './mail-origin.ts'
import { findParameter, keywordSpec } from './parameter-registry.ts'
import type {
  BooleanParameter,
  FlagOf,
  FlagParameter,
  IntegerParameter,
  KeywordOf,
  KeywordParameter,
  TextParameter,
  TimeParameter,
} from './parameter-registry.ts'
import type { KeywordSpec } from './parameter-spec.ts'
import { FLAG_PARAMETERS } from './registry/flag-parameters.ts'
import {
  TRANSPORT_INTEGERS,
  TRANSPORT_TEXTS,
  TRANSPORT_TIMES,
  type TransportInteger,
  type TransportSpec,
  type TransportText,
  type TransportTime,
} from './registry/transport-parameters.ts'
import { splitList } from './split-list.ts'
import { strerror } from './strerror.ts'

export { ConfigError } from './config-error.ts'

export interface LoadOptions {
  /** Default: MAIL_CONFIG, then /etc/postfix. */
  readonly directory?: string
  /** `-o name=value`, in their order: the last one of a name wins. */
  readonly overrides?: readonly (readonly [name: string, value: string])[]
  /** `$process_name`; default: the name of the running script. */
  readonly program?: string
  /** `$service_name`: the first column of master.cf; default: the program. */
  readonly service?: string
}

export class MainConfig {
  readonly directory: string
  /** Lines to log as warnings: overridden entries, stray continuation lines. */
  readonly warnings: readonly string[]
  /** What main.cf and the overrides set, unexpanded. */
  readonly settings: ReadonlyMap<string, string>
  readonly #lines: ReadonlyMap<string, number>
  readonly #program: string
  readonly #service: string
  readonly #values = new Map<string, unknown>()
  readonly #inProgress = new Set<string>()

  private constructor(directory: string, file: MainFile, options: LoadOptions) {
    this.directory = directory
    this.warnings = file.warnings
    const settings = new Map(file.entries)
    for (const [name, value] of options.overrides ?? []) settings.set(name, value)
    this.settings = settings
    this.#lines = file.lines
    this.#program = options.program ?? basename(process.argv[1] ?? 'posthorn')
    this.#service = options.service ?? this.#program
  }

  /** @throws {ConfigError} main.cf cannot be read or has a malformed line */
  static load(options: LoadOptions = {}): MainConfig {
    const directory = options.directory ?? selectConfigDirectory()
    const path = `${directory}/main.cf`
    let source: string
    try {
      // eslint-disable-next-line n/no-sync -- a small file, once at the start of a process
      source = readFileSync(path, 'latin1')
    } catch (error) {
      throw new ConfigError(`open ${path}: ${strerror(error)}`, { cause: error })
    }
    return MainConfig.parse(source, { ...options, directory })
  }

  /** main.cf given as text; for tests, and for commands that write one. */
  static parse(source: string, options: LoadOptions & { directory: string }): MainConfig {
    return new MainConfig(options.directory, readMainFile(source, options.directory), options)
  }

  /** Defaults and what is given here, without a file. */
  static of(settings: Readonly<Record<string, string>>, directory = '/etc/postfix'): MainConfig {
    return MainConfig.parse('', { directory, overrides: Object.entries(settings) })
  }

  /** The same file as another service sees it. */
  withOverrides(options: Pick<LoadOptions, 'overrides' | 'program' | 'service'>): MainConfig {
    const entries = new Map(this.settings)
    const file = { entries, lines: this.#lines, warnings: this.warnings }
    return new MainConfig(this.directory, file, options)
  }

  /** Is it in main.cf or among the overrides? */
  isSet(name: string): boolean {
    return this.settings.has(name)
  }

  /** Where main.cf sets it, counted from 1; undefined when it does not. */
  lineOf(name: string): number | undefined {
    return this.#lines.get(name)
  }

  /** Unexpanded: what is set, else the default; undefined for a name that nobody defines. */
  find(name: string): string | undefined {
    // What the program says of itself wins over main.cf.
    if (name === 'process_name' || name === 'service_name' || name === 'process_id') {
      return this.#computed(name)
    }
    return this.settings.get(name) ?? this.findDefault(name)
  }

  /** The default, unexpanded. Those that come from the system are computed from the other settings. */
  findDefault(name: string): string | undefined {
    const spec = findParameter(name)?.spec
    return spec?.isComputed ? this.#computed(name) : spec?.default
  }

  /** Expands `$name` in any text. @throws {ConfigError} */
  evaluate(text: string): string {
    try {
      return expandMacros(text, (name) => this.find(name))
    } catch (error) {
      if (error instanceof MacroOverflowError)
        throw new ConfigError(error.message, { cause: error })
      if (!(error instanceof MacroError)) throw error
      throw new ConfigError('dictionary mail_dict: macro processing error', {
        cause: error,
        warnings: [error.message],
      })
    }
  }

  /** The expanded value of a built-in or user-defined parameter; '' when undefined. Not for raw ones. */
  expanded(name: string): string {
    return trimSpace(this.evaluate(this.find(name) ?? ''))
  }

  /** Expanded, except the raw ones, which wait for the attributes of a request. */
  text(name: TextParameter): string {
    return this.#once(name, () => {
      const found = findParameter(name)
      if (found?.type === 'raw') return checkLength(name, this.find(name) ?? '', found.spec, true)
      const value = this.expanded(name)
      return found ? checkLength(name, value, found.spec) : value
    })
  }

  /** Split at white space and commas; braces keep together what is inside them. */
  list(name: TextParameter): readonly string[] {
    const text = this.text(name)
    return this.#once(`${name} list`, () => splitList(text))
  }

  /** The domain of local mail. @throws {ConfigError} */
  origin(): string {
    const myorigin = this.text('myorigin')
    return this.#once('myorigin value', () => readMailOrigin(myorigin))
  }

  boolean(name: BooleanParameter): boolean {
    return this.#once(name, () => toBoolean(name, this.expanded(name)))
  }

  integer(name: IntegerParameter): number {
    return this.#once(name, () =>
      toInteger(name, this.expanded(name), findParameter(name)?.spec ?? {}),
    )
  }

  seconds(name: TimeParameter): number {
    return this.#once(name, () => {
      const found = findParameter(name)
      const unit = found?.type === 'time' ? found.spec.unit : 's'
      return toSeconds(name, this.expanded(name), unit, found?.spec ?? {})
    })
  }

  /** One of the parameter's words, in the registry's spelling; '' when empty. */
  keyword<N extends KeywordParameter>(name: N): KeywordOf<N> | '' {
    const spec = keywordSpec(name)
    // The registry's own list is what toKeyword() chose from.
    return this.#once(`${name} keyword`, () => toKeyword(name, this.expanded(name), spec)) as
      KeywordOf<N> | ''
  }

  /** The set of words; strict parameters refuse an unknown one, lenient ones ignore it. */
  flags<N extends FlagParameter>(name: N): ReadonlySet<FlagOf<N>> {
    const spec: KeywordSpec = FLAG_PARAMETERS[name]
    return this.#once(`${name} flags`, () => {
      const value = this.text(name)
      const found = new Set<string>()
      for (const word of splitList(value)) {
        const known = spec.values.find((one) =>
          spec.isLenient ? one.toLowerCase() === word.toLowerCase() : one === word,
        )
        if (known !== undefined) found.add(known)
        else if (!spec.isLenient)
          throw new ConfigError(`unknown ${name} value "${word}" in "${value}"`)
      }
      return found as Set<FlagOf<N>>
    })
  }

  /** `<transport><suffix>`, or what it falls back to. */
  transportInteger(transport: string, suffix: TransportInteger): number {
    const name = transport + suffix
    const spec: TransportSpec = TRANSPORT_INTEGERS[suffix]
    return this.#once(name, () => toInteger(name, this.#forTransport(name, spec), spec))
  }

  transportSeconds(transport: string, suffix: TransportTime): number {
    const name = transport + suffix
    const spec: TransportSpec = TRANSPORT_TIMES[suffix]
    return this.#once(name, () => toSeconds(name, this.#forTransport(name, spec), 's', spec))
  }

  transportText(transport: string, suffix: TransportText): string {
    const name = transport + suffix
    return this.#once(name, () => this.#forTransport(name, TRANSPORT_TEXTS[suffix]))
  }

  #forTransport(name: string, spec: TransportSpec): string {
    return this.find(name) === undefined ? this.expanded(spec.fallback) : this.expanded(name)
  }

  #computed(name: string): string | undefined {
    // `myhostname = mail.$mydomain` with mydomain unset: the inner one is empty, as in Postfix.
    if (this.#inProgress.has(name)) return undefined
    this.#inProgress.add(name)
    try {
      switch (name) {
        case 'process_name':
          return this.#program
        case 'service_name':
          return this.#service
        case 'process_id':
          return String(process.pid)
        case 'myhostname':
          return defaultHostname(this.isSet('mydomain') ? this.expanded('mydomain') : undefined)
        case 'mydomain':
          return defaultDomain(this.expanded('myhostname'))
        case 'mynetworks':
          return this.#defaultNetworks()
        default:
          return undefined
      }
    } finally {
      this.#inProgress.delete(name)
    }
  }

  #defaultNetworks(): string {
    const style = this.expanded('mynetworks_style')
    if (style !== 'class' && style !== 'subnet' && style !== 'host') {
      throw new ConfigError(`unknown mynetworks mask style value "${style}" in "${style}"`)
    }
    return defaultNetworks({
      style,
      interfaces: this.expanded('inet_interfaces'),
      protocols: this.expanded('inet_protocols'),
    })
  }

  /** Converts a parameter the first time it is asked for. */
  #once<Value>(key: string, convert: () => Value): Value {
    const known = this.#values.get(key)
    // Each key is used with one type: its parameter's.
    if (known !== undefined) return known as Value
    try {
      const value = convert()
      this.#values.set(key, value)
      return value
    } catch (error) {
      throw this.#located(key.replace(/ .*/, ''), error)
    }
  }

  /** Adds where the value stands as a warning line: the fatal line keeps Postfix's words. */
  #located(name: string, error: unknown): unknown {
    const line = this.#lines.get(name)
    if (!(error instanceof ConfigError) || line === undefined) return error
    const place = `${this.directory}/main.cf, line ${line}: ${name} = ${this.settings.get(name) ?? ''}`
    return new ConfigError(error.message, { cause: error, warnings: [...error.warnings, place] })
  }
}

interface MainFile {
  readonly entries: ReadonlyMap<string, string>
  readonly lines: ReadonlyMap<string, number>
  readonly warnings: readonly string[]
}

function readMainFile(source: string, directory: string): MainFile {
  const path = `${directory}/main.cf`
  const warnings: string[] = []
  const entries = new Map([['config_directory', directory]])
  const lines = new Map<string, number>()
  const warn = (text: string): void => {
    warnings.push(text)
  }
  for (const { text, first } of readLogicalLines(source, path, warn)) {
    const found = splitAssignment(text)
    if (found.kind === 'malformed') {
      throw new ConfigError(`${path}, line ${first}: ${found.why}: "${trimSpace(text)}"`, {
        warnings,
      })
    }
    const old = entries.get(found.name)
    if (old !== undefined && old !== found.value) {
      warn(`${path}, line ${first}: overriding earlier entry: ${found.name}=${old}`)
    }
    entries.set(found.name, found.value)
    lines.set(found.name, first)
  }
  return { entries, lines, warnings }
}
