/**
 * edit-main - postconf -e, -# and -X: change parameters in main.cf
 *
 * The first line of an entry is replaced, its continuation lines go; comments and empty lines stay where they are.
 * Source: Postfix 3.7 postconf(1), and the command itself.
 */
import { splitAssignment } from '@posthorn/config/assignment'
import { ConfigError } from '@posthorn/config/config-error'
import { trimSpace } from '@posthorn/config/logical-lines'
import type { Edit } from './command-line.ts'
import { editFile } from './edit-file.ts'
import { commentedOut, commentsOf, readFileItems, sourceOf } from './file-items.ts'

/** Name to value; the value is '' where names are removed. */
type Requests = ReadonlyMap<string, string>

/**
 * @param operands `name=value` for -e, names for the others
 * @throws {ConfigError} malformed operands, or main.cf cannot be read or written
 */
export async function editMain(
  directory: string,
  kind: Edit,
  operands: readonly string[],
  warn: (text: string) => void,
): Promise<void> {
  const requests = kind === 'e' ? settingsOf(operands, warn) : namesOf(operands)
  const path = `${directory}/main.cf`
  await editFile(path, (source) => editedText(source, kind, requests, path, warn))
}

function settingsOf(operands: readonly string[], warn: (text: string) => void): Requests {
  const requests = new Map<string, string>()
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
  const requests = new Map<string, string>()
  for (const text of operands) {
    checkText(text)
    const name = trimSpace(text)
    if (name.includes('=')) {
      throw new ConfigError('-X or -# requires parameter names without value')
    }
    if (name === '') throw new ConfigError('-X or -# requires non-blank parameter names')
    requests.set(name, '')
  }
  return requests
}

function checkText(text: string): void {
  if (text.includes('\n')) throw new ConfigError('-e, -X, or -# accepts no multi-line input')
  if (/^\s*#/.test(text)) throw new ConfigError('-e, -X, or -# accepts no comment input')
}

/** main.cf as it will be. */
function editedText(
  source: string,
  kind: Edit,
  requests: Requests,
  path: string,
  warn: (text: string) => void,
): string {
  const seen = new Map<string, number>()
  let output = ''
  for (const item of readFileItems(source)) {
    if (item.kind === 'other') {
      output += item.text
      continue
    }
    const name = /^[^\s=]*/.exec(item.text)?.[0] ?? ''
    const value = requests.get(name)
    if (value === undefined) {
      output += sourceOf(item)
      continue
    }
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    if (count === 2) warn(`${path}: multiple entries for "${name}"`)
    if (kind === '#') output += commentedOut(item)
    else output += (kind === 'e' ? `${name} = ${value}\n` : '') + commentsOf(item)
  }
  if (kind !== 'e') return output
  if (output !== '' && !output.endsWith('\n')) output += '\n'
  for (const [name, value] of requests) if (!seen.has(name)) output += `${name} = ${value}\n`
  return output
}
