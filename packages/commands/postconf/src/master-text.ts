/**
 * master-text - master.cf as postconf(1) sees it: entries of fields, options and arguments, as text
 *
 * Nothing is expanded or defaulted. Options are normalised: `-oname=value` becomes `-o name=value`, `-vo x` becomes
 * `-v -o x`. Of all options only -o is known to take a value; the first argument that is no option loses its braces: both
 * as in Postfix.
 */
import { splitAssignment } from '@posthorn/config/assignment'
import { unbrace } from '@posthorn/config/braces'
import { ConfigError } from '@posthorn/config/config-error'
import { isSpaceCode } from '@posthorn/config/logical-lines'
import { readMasterLines } from '@posthorn/config/master-config'
import { splitList } from '@posthorn/config/split-list'

export const MASTER_FIELDS = [
  'service',
  'type',
  'private',
  'unprivileged',
  'chroot',
  'wakeup',
  'process_limit',
  'command',
] as const
export type MasterField = (typeof MASTER_FIELDS)[number]

export type MasterArgument =
  | { readonly kind: 'option'; readonly text: string }
  | { readonly kind: 'override'; readonly name: string; readonly value: string }
  | { readonly kind: 'operand'; readonly text: string }

const SEPARATORS = ' \t\r\n'

export interface MasterText {
  /** The eight fields; the last one without arguments. */
  readonly fields: readonly string[]
  readonly service: string
  readonly type: string
  readonly command: string
  readonly args: readonly MasterArgument[]
}

/** What a field may be; the others may be anything. */
const SHAPES: Readonly<Partial<Record<MasterField, RegExp>>> = {
  type: /^(?:inet|unix|unix-dgram|fifo|pass)$/,
  private: /^[yn-]$/,
  unprivileged: /^[yn-]$/,
  chroot: /^[yn-]$/,
  wakeup: /^(?:\d+|-)\??$/,
  process_limit: /^(?:\d+|-)$/,
}

/** @throws {ConfigError} master.cf cannot be read, or an entry is malformed */
export function readMasterText(directory: string, warn: (text: string) => void): MasterText[] {
  return readMasterLines(directory, warn).map(({ text, line }) =>
    parseEntry(text, `file ${directory}/master.cf: line ${line}: bad field count`, warn),
  )
}

/**
 * @param badCount what to say when fields are missing
 * @throws {ConfigError}
 */
export function parseEntry(
  text: string,
  badCount: string,
  warn: (text: string) => void,
): MasterText {
  const words = splitList(text, SEPARATORS)
  if (words.length < MASTER_FIELDS.length) throw new ConfigError(badCount)
  const fields = words.slice(0, MASTER_FIELDS.length)
  for (const [at, field] of MASTER_FIELDS.entries()) checkField(field, fields[at] ?? '', text)
  return masterText(fields, readArguments(words.slice(MASTER_FIELDS.length), warn))
}

function masterText(fields: readonly string[], args: readonly MasterArgument[]): MasterText {
  const [service = '', type = ''] = fields
  return { fields, service, type, command: fields[MASTER_FIELDS.length - 1] ?? '', args }
}

function checkField(field: MasterField, value: string, context: string): void {
  if (value !== '' && (SHAPES[field]?.test(value) ?? true)) return
  throw new ConfigError(`invalid ${field} field "${value}" in "${context}"`)
}

/** The entry with another value of one field; `command` takes the arguments, too. @throws {ConfigError} */
export function withField(
  entry: MasterText,
  name: string,
  value: string,
  warn: (text: string) => void,
): MasterText {
  const at = MASTER_FIELDS.findIndex((field) => field === name)
  const field = MASTER_FIELDS[at]
  if (field === undefined) throw new ConfigError(`invalid service attribute name: "${name}"`)
  if (field !== 'command') {
    checkField(field, value, value)
    return masterText(entry.fields.with(at, value), entry.args)
  }
  const [command = '', ...words] = splitList(value, SEPARATORS)
  checkField(field, command, value)
  return masterText(entry.fields.with(at, command), readArguments(words, warn))
}

/** The entry with a parameter: where it has been, else behind the last option. */
export function withParameter(entry: MasterText, name: string, value: string): MasterText {
  const override: MasterArgument = { kind: 'override', name, value }
  const isIt = (arg: MasterArgument): boolean => arg.kind === 'override' && arg.name === name
  if (entry.args.some(isIt)) {
    return { ...entry, args: entry.args.map((arg) => (isIt(arg) ? override : arg)) }
  }
  const end = entry.args.findIndex(
    (arg) => arg.kind === 'operand' || (arg.kind === 'option' && arg.text === '--'),
  )
  return { ...entry, args: entry.args.toSpliced(end < 0 ? entry.args.length : end, 0, override) }
}

export function withoutParameter(entry: MasterText, name: string): MasterText {
  const args = entry.args.filter((arg) => arg.kind !== 'override' || arg.name !== name)
  return { ...entry, args }
}

function readArguments(words: readonly string[], warn: (text: string) => void): MasterArgument[] {
  const args: MasterArgument[] = []
  let at = 0
  for (; at < words.length; at++) {
    const word = words[at] ?? ''
    if (!word.startsWith('-') || word === '-') break
    if (word === '--') {
      args.push({ kind: 'option', text: word })
      at++
      break
    }
    const column = word.indexOf('o')
    if (column !== 1) {
      args.push({ kind: 'option', text: column < 0 ? word : word.slice(0, column) })
    }
    if (column < 0) continue
    const inWord = word.slice(column + 1)
    const value = inWord === '' ? words[++at] : inWord
    args.push(value === undefined ? { kind: 'option', text: '-o' } : parameter(bare(value, warn)))
  }
  const operands = words.slice(at)
  return args.concat(
    operands.map((word, index) => ({
      kind: 'operand',
      text: index === 0 ? bare(word, warn) : rebraced(word, warn),
    })),
  )
}

function parameter(text: string): MasterArgument {
  const found = splitAssignment(text)
  if (found.kind === 'assignment') return { ...found, kind: 'override' }
  return { kind: 'option', text: `-o ${braced(text)}` }
}

/** Without the braces around it. */
function bare(word: string, warn: (text: string) => void): string {
  if (!word.startsWith('{')) return word
  const inside = unbrace(word)
  if (inside.kind === 'payload') return inside.text
  warn(`master.cf: ${inside.why}`)
  return word.replace(/^\{\s*/, '').replace(/\}[^}]*$/, '')
}

function rebraced(word: string, warn: (text: string) => void): string {
  return word.startsWith('{') ? braced(bare(word, warn)) : word
}

function braced(text: string): string {
  return hasSpace(text) ? `{${text}}` : text
}

function hasSpace(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (isSpaceCode(text.charCodeAt(at))) return true
  }
  return false
}

/** `-o name=value`, braced when the value has white space. */
export function formatOverride(name: string, value: string): string {
  return `-o ${braced(`${name}=${value}`)}`
}
