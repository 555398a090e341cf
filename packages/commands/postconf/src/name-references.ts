/**
 * name-references - who refers to which name, and what to warn about
 *
 * A user-defined name is valid when a value refers to it, when it is a restriction class, or when a database
 * client reads it. A reference in main.cf finds definitions in main.cf and in any -o; one in a -o finds those of
 * its own entry, then main.cf. Warnings say what is undefined, what is unused, what cannot be set.
 * Source: Postfix 3.7 postconf(1), and the command itself for what the manual leaves open.
 */
import { readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { splitAssignment } from '@posthorn/config/assignment'
import { unbrace } from '@posthorn/config/braces'
import { ConfigError } from '@posthorn/config/config-error'
import { expandMacros, MacroError } from '@posthorn/config/expand-macros'
import { readLogicalLines } from '@posthorn/config/logical-lines'
import { findParameter } from '@posthorn/config/parameter-registry'
import { splitList } from '@posthorn/config/split-list'
import { strerror } from '@posthorn/config/strerror'
import { clientOptions } from './database-clients.ts'
import type { MasterText } from './master-text.ts'
import {
  PARAMETER_CLASSES,
  type ParameterCatalog,
  type ParameterClass,
} from './parameter-catalog.ts'

const ALL_CLASSES: ReadonlySet<ParameterClass> = new Set(PARAMETER_CLASSES)

type Settings = ReadonlyMap<string, string>

/** One place where parameters are set: main.cf, or the -o options of an entry in master.cf. */
interface Scope {
  readonly file: string
  readonly settings: Settings
  /** Own names that are in use. */
  readonly used: Set<string>
}

export class NameReferences {
  readonly #catalog: ParameterCatalog
  readonly #warn: (text: string) => void
  readonly #main: Scope
  readonly #entries: readonly Scope[]
  readonly #undefined = new Set<string>()

  /** Looks at everything once, and warns of what is undefined. @throws {ConfigError} a value cannot be expanded */
  constructor(
    catalog: ParameterCatalog,
    entries: readonly MasterText[],
    warn: (text: string) => void,
  ) {
    this.#catalog = catalog
    this.#warn = warn
    const { directory, settings } = catalog.config
    this.#main = { file: `${directory}/main.cf`, settings, used: new Set() }
    this.#entries = entries.map((entry) => ({
      file: `${directory}/master.cf`,
      settings: overridesOf(entry),
      used: new Set<string>(),
    }))
    for (const scope of [...this.#entries, this.#main]) this.#scan(scope)
    for (const name of catalog.names(ALL_CLASSES)) {
      // those that are set have been looked at
      if (settings.has(name) || catalog.isRaw(name)) continue
      this.#expand(this.#main, catalog.valueOf(name) ?? '')
    }
    for (const name of this.#main.used) catalog.addUserName(name)
  }

  /** Names in main.cf that nothing reads: `name=value`. */
  warnUnusedMain(): void {
    this.#warnUnused(this.#main)
  }

  warnUnusedMaster(): void {
    for (const entry of this.#entries) this.#warnUnused(entry)
  }

  #warnUnused(scope: Scope): void {
    for (const [name, value] of scope.settings) {
      if (this.#catalog.classOf(name) === undefined && !scope.used.has(name)) {
        this.#warn(`${scope.file}: unused parameter: ${name}=${value}`)
      }
    }
  }

  #scan(scope: Scope): void {
    for (const [name, value] of scope.settings) {
      if (findParameter(name)?.spec.isReadOnly) {
        this.#warn(`${scope.file}: read-only parameter assignment: ${name}=${value}`)
      } else if (!this.#catalog.isRaw(name)) {
        this.#scanValue(scope, value)
        const isKnown = this.#catalog.classOf(name) !== undefined
        if (isKnown) this.#scanDatabases(scope, this.#expand(scope, value))
      }
    }
    const classes = scope.settings.get('smtpd_restriction_classes')
    if (classes === undefined) return
    for (const word of splitList(this.#expand(scope, classes))) this.#refer(scope, word)
  }

  #scanValue(scope: Scope, value: string): void {
    const refer = (name: string): undefined => {
      this.#refer(scope, name)
    }
    try {
      expandMacros(value, refer, { isRecursive: false, visitsAll: true })
    } catch (error) {
      if (!(error instanceof MacroError)) throw error
      this.#warn(error.message)
    }
  }

  #refer(scope: Scope, name: string): void {
    if (scope === this.#main) {
      this.#use([this.#main, ...this.#entries], name, scope.file)
    } else {
      this.#use([scope.settings.has(name) ? scope : this.#main], name, scope.file)
    }
  }

  #use(scopes: readonly Scope[], name: string, file: string): void {
    const defining = scopes.filter(({ settings }) => settings.has(name))
    for (const { used } of defining) used.add(name)
    const isDefined = defining.length > 0 || this.#catalog.valueOf(name) !== undefined
    const key = `${file}: undefined parameter: ${name}`
    if (isDefined || this.#undefined.has(key)) return
    this.#undefined.add(key)
    this.#warn(key)
  }

  /** @throws {ConfigError} */
  #expand(scope: Scope, value: string): string {
    try {
      return expandMacros(value, (name) => scope.settings.get(name) ?? this.#catalog.valueOf(name))
    } catch (error) {
      if (!(error instanceof MacroError)) throw error
      throw new ConfigError('macro processing error', { cause: error, warnings: [error.message] })
    }
  }

  /** `mysql:NAME` makes NAME_<option> valid; `mysql:/file` is read for unknown options. */
  #scanDatabases(scope: Scope, value: string): void {
    for (const item of splitList(value)) {
      if (item.startsWith('{')) {
        const inside = unbrace(item)
        if (inside.kind === 'malformed') this.#warn(`${basename(scope.file)}: ${inside.why}`)
        const text = inside.kind === 'payload' ? inside.text : item.replace(/[{}]/g, ' ')
        this.#scanDatabases(scope, text)
        continue
      }
      const braces = item.indexOf(':{')
      if (braces > 0) this.#scanDatabases(scope, item.slice(braces + 1))
      const [, type = '', name = ''] = /^(?:proxy:)*([a-z]+):(.+)$/.exec(item) ?? []
      const options = clientOptions(type)
      if (options === undefined || name.startsWith('.')) continue
      if (name.startsWith('/')) {
        this.#checkClientFile(type, name, options)
      } else {
        for (const option of options) {
          const scopes = scope === this.#main ? [this.#main, ...this.#entries] : [scope, this.#main]
          for (const { settings, used } of scopes) {
            if (settings.has(`${name}_${option}`)) used.add(`${name}_${option}`)
          }
        }
      }
    }
  }

  #checkClientFile(type: string, path: string, options: ReadonlySet<string>): void {
    let source: string
    try {
      /* eslint-disable n/no-sync -- a command that does one thing */
      if (!statSync(path).isFile()) throw new Error('not a regular file')
      source = readFileSync(path, 'latin1')
      /* eslint-enable n/no-sync */
    } catch (error) {
      const isDenied = error instanceof Error && 'code' in error && error.code === 'EACCES'
      if (!isDenied) this.#warn(`open "${type}" configuration "${path}": ${strerror(error)}`)
      return
    }
    for (const { text } of readLogicalLines(source, path, this.#warn)) {
      const found = splitAssignment(text)
      if (found.kind === 'assignment' && !options.has(found.name)) {
        this.#warn(`${type}:${path}: unused parameter: ${found.name}=${found.value}`)
      }
    }
  }
}

function overridesOf(entry: MasterText): Settings {
  const found = new Map<string, string>()
  for (const arg of entry.args) {
    if (arg.kind === 'override') found.set(arg.name, arg.value)
  }
  return found
}
