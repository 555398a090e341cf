/**
 * master-text - master.cf as postconf(1) sees it: entries of fields, options and arguments, as text
 *
 * Nothing is expanded or defaulted. Options are normalised: `-oname=value` becomes `-o name=value`, `-vo x` becomes
 * `-v -o x`. The first argument that is no option loses its braces, as in Postfix.
 */
import { splitAssignment } from '@posthorn/config/assignment'
import { unbrace } from '@posthorn/config/braces'
import { ConfigError } from '@posthorn/config/config-error'
import { isSpaceCode } from '@posthorn/config/logical-lines'
import { readMasterLines, type MasterLine } from '@posthorn/config/master-config'

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

export interface MasterText {
  /** The eight fields; the last one without arguments. */
  readonly fields: readonly string[]
  readonly service: string
  readonly type: string
  readonly command: string
  readonly args: readonly MasterArgument[]
}

/** Options of daemons that take a value. */
const WITH_VALUE = 'cimnorst'

/** @throws {ConfigError} master.cf cannot be read, or an entry is malformed */
export function readMasterText(directory: string, warn: (text: string) => void): MasterText[] {
  return readMasterLines(directory, warn).map((line) => masterEntry(line, directory, warn))
}

function masterEntry(
  line: MasterLine,
  directory: string,
  warn: (text: string) => void,
): MasterText {
  const { fields } = line
  if (fields.length < MASTER_FIELDS.length) {
    throw new ConfigError(`file ${directory}/master.cf: line ${line.line}: bad field count`)
  }
  const shapes: readonly (readonly [number, RegExp])[] = [
    [1, /^(?:inet|unix|unix-dgram|fifo|pass)$/],
    [2, /^[yn-]$/],
    [3, /^[yn-]$/],
    [4, /^[yn-]$/],
    [5, /^(?:\d+|-)\??$/],
    [6, /^(?:\d+|-)$/],
  ]
  for (const [at, shape] of shapes) {
    const value = fields[at] ?? ''
    if (!shape.test(value)) {
      throw new ConfigError(`invalid ${MASTER_FIELDS[at] ?? ''} field "${value}" in "${line.text}"`)
    }
  }
  const [service = '', type = ''] = fields
  return {
    fields: fields.slice(0, MASTER_FIELDS.length),
    service,
    type,
    command: fields[MASTER_FIELDS.length - 1] ?? '',
    args: readArguments(fields.slice(MASTER_FIELDS.length), warn),
  }
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
    for (let column = 1; column < word.length; column++) {
      const letter = word.charAt(column)
      if (!WITH_VALUE.includes(letter)) {
        args.push({ kind: 'option', text: `-${letter}` })
        continue
      }
      const inWord = word.slice(column + 1)
      const value = inWord === '' ? words[++at] : inWord
      if (value === undefined) args.push({ kind: 'option', text: `-${letter}` })
      else args.push(...optionWithValue(letter, bare(value, warn)))
      break
    }
  }
  const operands = words.slice(at)
  return args.concat(
    operands.map((word, index) => ({
      kind: 'operand',
      text: index === 0 ? bare(word, warn) : rebraced(word, warn),
    })),
  )
}

function optionWithValue(letter: string, value: string): MasterArgument[] {
  if (letter === 'o') {
    const found = splitAssignment(value)
    if (found.kind === 'assignment') return [{ ...found, kind: 'override' }]
  }
  return [{ kind: 'option', text: `-${letter} ${braced(value)}` }]
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
