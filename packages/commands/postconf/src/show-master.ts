/**
 * show-master - postconf -M, -F and -P: entries of master.cf, their fields, their parameters
 */
import { ConfigError } from '@posthorn/config/config-error'
import { findParameter } from '@posthorn/config/parameter-registry'
import type { PostconfRequest } from './command-line.ts'
import {
  formatOverride,
  MASTER_FIELDS,
  type MasterArgument,
  type MasterText,
} from './master-text.ts'
import { formatSetting } from './output-lines.ts'
import type { ParameterCatalog } from './parameter-catalog.ts'
import { expandIn } from './show-main.ts'

const LINE_LIMIT = 80
const INDENT = '    '
/** Where the second to eighth field start. */
const COLUMNS = [11, 17, 25, 33, 41, 49, 57]

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

  /** What is printed for all selectors, in their order; without any, everything. @throws {ConfigError} */
  show(mode: MasterMode, warn: (text: string) => void): string {
    const selectors = this.#request.operands.length > 0 ? this.#request.operands : ['*']
    const parsed = selectors.map((text) => parseSelector(mode, text))
    let output = ''
    for (const [at, [service, type, part]] of parsed.entries()) {
      let isMatched = false
      for (const entry of this.#entries) {
        if (!matches(service, entry.service) || !matches(type, entry.type)) continue
        const shown = this.#showEntry(mode, this.#scoped(entry), part)
        if (shown !== undefined) isMatched = true
        output += shown ?? ''
      }
      const isAll = this.#request.operands.length === 0
      if (!isMatched && !isAll) warn(`unmatched request: "${selectors[at] ?? ''}"`)
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
        const at = MASTER_FIELDS.indexOf(field)
        const args = field === 'command' ? entry.args.map((arg) => ` ${argumentText(arg)}`) : []
        const value = `${entry.fields[at] ?? ''}${args.join('')}`
        return formatSetting(`${prefix}/${field}`, value, this.#request)
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
  const parts = text.split('/')
  const limit = mode === 'M' ? 2 : 3
  const isBad = parts.some((part) => part === '' || (part !== '*' && part.includes('*')))
  if (parts.length > limit || isBad) {
    throw new ConfigError(`-${mode} option requires ${SELECTOR_FORMS[mode]}`)
  }
  const [service = '*', type = '*', part = '*'] = parts
  if (mode === 'F' && part !== '*' && !MASTER_FIELDS.some((field) => field === part)) {
    throw new ConfigError(`invalid service attribute name: "${part}"`)
  }
  return [service, type, part]
}

function matches(pattern: string, value: string): boolean {
  return pattern === '*' || pattern === value
}

function argumentText(arg: MasterArgument): string {
  return arg.kind === 'override' ? formatOverride(arg.name, arg.value) : arg.text
}

/** Fields in columns, then the arguments; folded: each option with a value on a line of its own. */
export function formatEntry(entry: MasterText, isFolded: boolean): string {
  let line = entry.service
  for (const [at, column] of COLUMNS.entries()) {
    line = `${line.padEnd(column - 1)} ${entry.fields[at + 1] ?? ''}`
  }
  let output = ''
  let isAfterOption = false
  for (const arg of entry.args) {
    const text = argumentText(arg)
    const hasValue = arg.kind === 'override' || (arg.kind === 'option' && text.includes(' '))
    const breaks =
      isFolded && (hasValue || isAfterOption || line.length + 1 + text.length >= LINE_LIMIT)
    if (breaks) {
      output += `${line}\n`
      line = `${INDENT}${text}`
    } else {
      line += ` ${text}`
    }
    isAfterOption = hasValue
  }
  return `${output}${line}\n`
}
