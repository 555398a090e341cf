/**
 * show-master - postconf -M, -F and -P: entries of master.cf, their fields, their parameters
 */
import { ConfigError } from '@posthorn/config/config-error'
import { findParameter } from '@posthorn/config/parameter-registry'
import type { PostconfRequest } from './command-line.ts'
import { formatArguments, formatEntry } from './format-entry.ts'
import { isPartialWildcard, matches, selectorParts } from './master-selector.ts'
import { MASTER_FIELDS, type MasterArgument, type MasterText } from './master-text.ts'
import { formatSetting } from './output-lines.ts'
import type { ParameterCatalog } from './parameter-catalog.ts'
import { expandIn } from './show-main.ts'

type MasterMode = 'M' | 'F' | 'P'
const SELECTOR_FORMS = {
  M: 'service_name[/type]',
  F: 'service_name[/type[/field]]',
  P: 'service_name[/type[/parameter]]',
} as const

export class MasterView {
  readonly #request: PostconfRequest
  readonly #catalog: ParameterCatalog
  readonly #entries: readonly MasterText[]

  constructor(request: PostconfRequest, catalog: ParameterCatalog, entries: readonly MasterText[]) {
    this.#request = request
    this.#catalog = catalog
    this.#entries = entries
  }

  /** What is printed: entries in their order, each for every selector that names it. @throws {ConfigError} */
  show(mode: MasterMode, warn: (text: string) => void): string {
    const selectors = this.#request.operands.length > 0 ? this.#request.operands : ['*']
    const parsed = selectors.map((text) => parseSelector(mode, text))
    const matched = new Set<number>()
    let output = ''
    for (const entry of this.#entries) {
      for (const [at, [service, type, part]] of parsed.entries()) {
        if (!matches(service, entry.service) || !matches(type, entry.type)) continue
        const shown = this.#showEntry(mode, this.#scoped(entry), part)
        if (shown !== undefined) matched.add(at)
        output += shown ?? ''
      }
    }
    for (const [at, text] of this.#request.operands.entries()) {
      if (!matched.has(at)) warn(`unmatched request: "${text}"`)
    }
    return output
  }

  #showEntry(mode: MasterMode, entry: MasterText, part: string): string | undefined {
    switch (mode) {
      case 'M':
        return formatEntry(entry, this.#request.isFolded)
      case 'F':
        return this.#fields(entry, part)
      case 'P':
        return this.#parameters(entry, part)
    }
  }

  #fields(entry: MasterText, part: string): string {
    const prefix = `${entry.service}/${entry.type}`
    return MASTER_FIELDS.filter((field) => matches(part, field))
      .map((field) => {
        const { hidesName, hidesValue, isFolded } = this.#request
        const name = `${prefix}/${field}`
        const value = entry.fields[MASTER_FIELDS.indexOf(field)] ?? ''
        if (field !== 'command' || hidesValue) return formatSetting(name, value, this.#request)
        const start = hidesName ? value : `${name} = ${value}`
        return formatArguments(start, entry.args, isFolded)
      })
      .join('')
  }

  #parameters(entry: MasterText, part: string): string | undefined {
    const values = new Map<string, string>()
    for (const arg of entry.args) {
      const isShown = arg.kind === 'override' && !findParameter(arg.name)?.spec.isReadOnly
      if (isShown && matches(part, arg.name)) values.set(arg.name, arg.value)
    }
    if (values.size === 0) return undefined
    return [...values]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => {
        return formatSetting(`${entry.service}/${entry.type}/${name}`, value, this.#request)
      })
      .join('')
  }

  /** The entry with its -o values expanded, when that was asked for; raw parameters too, as Postfix does here. */
  #scoped(entry: MasterText): MasterText {
    if (!this.#request.isExpanded) return entry
    const own = new Map<string, string>()
    for (const arg of entry.args) if (arg.kind === 'override') own.set(arg.name, arg.value)
    own.set('service_name', entry.service)
    own.set('process_name', entry.command)
    const find = (name: string): string | undefined => own.get(name) ?? this.#catalog.valueOf(name)
    const args = entry.args.map((arg): MasterArgument => {
      if (arg.kind !== 'override') return arg
      return { ...arg, value: expandIn(arg.value, find) }
    })
    return { ...entry, args }
  }
}

type Selector = readonly [service: string, type: string, part: string]

/** @throws {ConfigError} too many parts, a leading slash, `*` beside other text, an unknown field */
function parseSelector(mode: MasterMode, text: string): Selector {
  const parts = selectorParts(text)
  const limit = mode === 'M' ? 2 : 3
  if (text.startsWith('/') || parts.length > limit || parts.some(isPartialWildcard)) {
    throw new ConfigError(`-${mode} option requires ${SELECTOR_FORMS[mode]}`)
  }
  const [service = '*', type = '*', part = '*'] = parts
  if (mode === 'F' && part !== '*' && !MASTER_FIELDS.some((field) => field === part)) {
    throw new ConfigError(`invalid service attribute name: "${part}"`)
  }
  return [service, type, part]
}
