/**
 * edit-main - postconf -e, -# and -X: change main.cf in place
 *
 * The new text goes to main.cf.tmp beside it, is synced, and renamed over the old file: a reader sees the one or
 * the other. Comments and empty lines stay where they are; the mode becomes 0644.
 * Source: Postfix 3.7 postconf(1), and the command itself.
 */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { splitAssignment } from '@posthorn/config/assignment'
import { ConfigError } from '@posthorn/config/config-error'
import { isSpaceCode } from '@posthorn/config/logical-lines'
import { strerror } from '@posthorn/config/strerror'
import type { Edit } from './command-line.ts'

/* eslint-disable n/no-sync -- a command that does one thing */

const FILE_MODE = 0o644
const TEMPORARY_MODE = 0o600

/**
 * @param operands `name=value` for -e, names for the others
 * @throws {ConfigError} malformed operands, or main.cf cannot be read or written
 */
export function editMain(
  directory: string,
  kind: Edit,
  operands: readonly string[],
  warn: (text: string) => void,
): void {
  if (operands.length === 0) {
    throw new ConfigError('-e requires name=value argument')
  }
  const requests = kind === 'e' ? settingsOf(operands, warn) : namesOf(operands)
  const path = `${directory}/main.cf`
  let source: string
  try {
    source = readFileSync(path, 'latin1')
  } catch (error) {
    throw new ConfigError(`open ${path}: ${strerror(error)}`, { cause: error })
  }
  replaceFile(path, editedText(source, kind, requests, path, warn))
}

type Requests = Map<string, string>

function settingsOf(operands: readonly string[], warn: (text: string) => void): Requests {
  const requests: Requests = new Map()
  for (const text of operands) {
    checkText(text)
    const found = splitAssignment(text)
    if (found.kind === 'malformed') throw new ConfigError(`${found.why}: "${text}"`)
    const earlier = requests.get(found.name)
    if (earlier !== undefined) warn(`ignoring earlier request: '${found.name} = ${earlier}'`)
    requests.set(found.name, found.value)
  }
  return requests
}

function namesOf(operands: readonly string[]): Requests {
  const requests: Requests = new Map()
  for (const text of operands) {
    checkText(text)
    const name = text.trim()
    if (name === '' || name.includes('=')) {
      throw new ConfigError(`-X or -# requires parameter names without value: "${text}"`)
    }
    requests.set(name, '')
  }
  return requests
}

function checkText(text: string): void {
  if (text.includes('\n')) throw new ConfigError('-e, -X, or -# accepts no multi-line input')
  if (/^\s*#/.test(text)) throw new ConfigError('-e, -X, or -# accepts no comment input')
}

/** main.cf as it will be. */
export function editedText(
  source: string,
  kind: Edit,
  requests: ReadonlyMap<string, string>,
  path: string,
  warn: (text: string) => void,
): string {
  const seen = new Map<string, number>()
  let output = ''
  /** What happens to continuation lines: those of an edited entry share its fate. */
  let isEdited = false
  for (const line of source.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    const isComment = /^[ \t\r\f\v]*(?:#|\r?\n|$)/.test(line)
    if (isComment) {
      output += line
      continue
    }
    if (!isSpaceCode(line.charCodeAt(0))) {
      const name = /^[^\s=]*/.exec(line)?.[0] ?? ''
      const value = requests.get(name)
      isEdited = value !== undefined
      if (value !== undefined) {
        const count = (seen.get(name) ?? 0) + 1
        seen.set(name, count)
        if (kind === 'e' && count === 2) warn(`${path}: multiple entries for "${name}"`)
        if (kind === 'e') output += settingLine(name, value)
      }
      if (isEdited && kind === 'e') continue
    }
    if (!isEdited) output += line
    else if (kind === '#') output += `#${line}`
  }
  if (kind !== 'e') return output
  if (output !== '' && !output.endsWith('\n')) output += '\n'
  for (const [name, value] of requests) if (!seen.has(name)) output += settingLine(name, value)
  return output
}

function settingLine(name: string, value: string): string {
  return value === '' ? `${name} =\n` : `${name} = ${value}\n`
}

function replaceFile(path: string, text: string): void {
  const temporary = `${path}.tmp`
  try {
    const fd = openSync(temporary, 'w', TEMPORARY_MODE)
    try {
      writeSync(fd, text, 0, 'latin1')
      fchmodSync(fd, FILE_MODE)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, path)
  } catch (error) {
    throw new ConfigError(`cannot replace ${path}: ${strerror(error)}`, { cause: error })
  }
}
