/**
 * edit-master - postconf -M, -F and -P with -e, -# and -X: change services, fields and parameters in master.cf
 *
 * Entries that nobody names keep their octets. One that changes is written anew, folded; comments inside it come
 * before it, with -M behind it. A comment behind an entry stays there: Postfix 3.7 takes it along, and so puts what
 * describes the next service above this one.
 * Source: Postfix 3.7 postconf(1), and the command itself.
 */
import { splitAssignment } from '@posthorn/config/assignment'
import { ConfigError } from '@posthorn/config/config-error'
import { splitWords } from '@posthorn/config/split-list'
import type { Edit } from './command-line.ts'
import { editFile } from './edit-file.ts'
import { commentedOut, commentsOf, readFileItems, sourceOf, type FileEntry } from './file-items.ts'
import { formatEntry } from './format-entry.ts'
import {
  MASTER_FIELDS,
  parseEntry,
  withField,
  withoutParameter,
  withParameter,
  type MasterText,
} from './master-text.ts'
import { isPartialWildcard, matches, selectorParts } from './master-selector.ts'

export type MasterEdit = 'M' | 'F' | 'P'

const FORMS = {
  M: '-Me, -MX or -M# requires service_name/type',
  F: '-Fe or -FX requires service_name/type/field_name',
  P: '-Pe or -PX requires service_name/type/parameter',
} as const
const OPTIONS = '-Me, -Fe, -Pe, -X, or -#'

interface EditRequest {
  /** As given: for what is said of it. */
  readonly text: string
  readonly service: string
  readonly type: string
  /** Field or parameter; '' with -M. */
  readonly part: string
  /** '' where something is removed. */
  readonly value: string
  isMatched: boolean
}

/** @throws {ConfigError} malformed operands, or master.cf cannot be read, changed or written */
export async function editMaster(
  directory: string,
  mode: MasterEdit,
  kind: Edit,
  operands: readonly string[],
  warn: (text: string) => void,
): Promise<void> {
  const requests = operands.map((text) => parseRequest(mode, kind, text))
  const path = `${directory}/master.cf`
  await editFile(path, (source) => {
    const editor = new MasterEditor(mode, kind, requests, path, warn)
    return editor.edited(source)
  })
}

/** @throws {ConfigError} */
function parseRequest(mode: MasterEdit, kind: Edit, text: string): EditRequest {
  if (text.includes('\n')) throw new ConfigError(`${OPTIONS} accept no multi-line input`)
  if (/^\s*#/.test(text)) throw new ConfigError(`${OPTIONS} accept no comment input`)
  const found = kind === 'e' ? splitAssignment(text) : { name: text.trim(), value: '' }
  if ('kind' in found && found.kind === 'malformed') {
    throw new ConfigError(`${found.why}: "${text}"`)
  }
  const { name, value } = found
  if (kind !== 'e' && name.includes('=')) {
    throw new ConfigError('-X or -# requires names without value')
  }
  const parts = selectorParts(name)
  const [service = '', type = '', part = ''] = parts
  const isWhole = parts.length === (mode === 'M' ? 2 : 3)
  if (!isWhole || name.startsWith('/') || [service, type].some(isPartialWildcard)) {
    throw new ConfigError(FORMS[mode])
  }
  checkPart(mode, part, value)
  return { text, service, type, part, value, isMatched: false }
}

function checkPart(mode: MasterEdit, part: string, value: string): void {
  if (mode === 'F') {
    if (part === '*') throw new ConfigError('-Fe does not accept wild-card field name')
    if (!MASTER_FIELDS.some((field) => field === part)) {
      throw new ConfigError(`invalid service attribute name: "${part}"`)
    }
    if (part !== 'command' && /\s/.test(value)) {
      throw new ConfigError('-Fe does not accept whitespace in non-command field')
    }
  } else if (mode === 'P') {
    if (part.includes('*')) throw new ConfigError('-Pe does not accept wild-card parameter name')
    if (/\s/.test(value)) {
      throw new ConfigError('-Pe does not accept whitespace in parameter value')
    }
  } else if (value.startsWith('#')) {
    throw new ConfigError(`${OPTIONS} accept no comment input`)
  }
}

class MasterEditor {
  readonly #mode: MasterEdit
  readonly #kind: Edit
  readonly #requests: readonly EditRequest[]
  readonly #path: string
  readonly #warn: (text: string) => void

  constructor(
    mode: MasterEdit,
    kind: Edit,
    requests: readonly EditRequest[],
    path: string,
    warn: (text: string) => void,
  ) {
    this.#mode = mode
    this.#kind = kind
    this.#requests = requests
    this.#path = path
    this.#warn = warn
  }

  edited(source: string): string {
    const replacements = new Map<EditRequest, MasterText>()
    if (this.#mode === 'M' && this.#kind === 'e') {
      for (const request of this.#requests) {
        const bad = `bad field count: "${request.text}"`
        replacements.set(request, parseEntry(request.value, bad, this.#warn))
      }
    }
    let output = ''
    for (const item of readFileItems(source)) {
      output += item.kind === 'other' ? item.text : this.#editedEntry(item, replacements)
    }
    const unmatched = this.#requests.filter((request) => !request.isMatched)
    if (this.#mode !== 'M') {
      for (const { text } of unmatched) this.#warn(`unmatched service_name/type: "${text}"`)
    }
    for (const request of unmatched) {
      const added = replacements.get(request)
      if (added === undefined) continue
      if (output !== '' && !output.endsWith('\n')) output += '\n'
      output += formatEntry(added, true)
    }
    return output
  }

  #editedEntry(item: FileEntry, replacements: ReadonlyMap<EditRequest, MasterText>): string {
    const [service = '', type = ''] = splitWords(item.text)
    this.#checkNames(item, service, type)
    const concerned = this.#requests.filter((request) => {
      const isNamed = matches(request.service, service) && matches(request.type, type)
      const other = replacements.get(request)
      return isNamed || (other?.service === service && other.type === type)
    })
    if (concerned.length === 0) return sourceOf(item)
    // a request replaces the first entry that it concerns, and removes the others
    const fresh = concerned.filter((request) => !request.isMatched)
    for (const request of concerned) request.isMatched = true
    if (this.#mode === 'M') {
      if (this.#kind === '#') return commentedOut(item)
      const chosen = fresh.at(-1)
      const replacement = chosen && replacements.get(chosen)
      return (replacement ? formatEntry(replacement, true) : '') + commentsOf(item)
    }
    const bad = `file ${this.#path}: line ${item.first}: bad field count`
    const entry = parseEntry(item.text, bad, this.#warn)
    return commentsOf(item) + formatEntry(concerned.reduce(this.#apply, entry), true)
  }

  readonly #apply = (entry: MasterText, request: EditRequest): MasterText => {
    const { part, value } = request
    if (this.#mode === 'F') return withField(entry, part, value, this.#warn)
    return this.#kind === 'X' ? withoutParameter(entry, part) : withParameter(entry, part, value)
  }

  /** Names that a selector cannot tell from its own syntax. */
  #checkNames(item: FileEntry, service: string, type: string): void {
    const place = `file ${this.#path}: line ${item.first}: service`
    if (service.includes('=')) {
      throw new ConfigError(`${place} name syntax "${service}" is unsupported with ${OPTIONS}`)
    }
    if (/[=/]/.test(type)) {
      throw new ConfigError(`${place} type syntax "${type}" is unsupported with ${OPTIONS}`)
    }
  }
}
