/**
 * template-file - bounce_template_file
 *
 *   failure_template = <<EOF
 *   Charset: us-ascii
 *   Subject: ...
 *
 *   Text with $parameters.
 *   EOF
 *
 * A template with a fault is not used: the built-in one takes its place, with a warning. A file that
 * cannot be read at all is a fault of the configuration.
 * Source: Postfix 3.7 bounce(5).
 */
import { readFileSync } from 'node:fs'
import { ConfigError } from '@posthorn/config/config-error'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { TEMPLATE_NAMES, type Template, type TemplateName, type Templates } from './template.ts'

/** @throws {ConfigError} */
export function parseTemplateFile(path: string, builtIn: Templates): Templates {
  let source: string
  try {
    // eslint-disable-next-line n/no-sync -- a small file, once at the start of a process
    source = readFileSync(path, 'latin1')
  } catch (error) {
    throw new ConfigError(`open ${path}: ${errorReason(error)}`, { cause: error })
  }
  return parseTemplates(source, path, builtIn)
}

export function parseTemplates(source: string, path: string, builtIn: Templates): Templates {
  const found: Record<TemplateName, Template> = { ...builtIn }
  const lines = source.split('\n')
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? ''
    if (/^\s*(?:#|$)/.test(line)) continue
    const head = /^(\w+)_template\s*=\s*<<\s*(\S+)\s*$/.exec(line)
    const end = head === null ? -1 : lines.indexOf(head[2] ?? '', at + 1)
    if (head === null || end < 0) {
      throw new ConfigError(`${path}, line ${at + 1}: want NAME_template = <<MARK, text, MARK`)
    }
    const name = TEMPLATE_NAMES.find((known) => known === head[1])
    if (name === undefined) {
      log.warning(`${path}, line ${at + 1}: unknown template name: ${line.trim()} -- ignored`)
    } else {
      found[name] = parseTemplate(lines.slice(at + 1, end), path, builtIn[name])
    }
    at = end
  }
  return found
}

function parseTemplate(lines: readonly string[], path: string, builtIn: Template): Template {
  const reject = (why: string): Template => {
    log.warning(`${path}: ${why} in ${builtIn.name} template -- ignoring this template`)
    return builtIn
  }
  const headers = new Map<string, string>()
  let at = 0
  for (; /^[\w-]+\s*:/.test(lines[at] ?? ''); at += 1) {
    const [, name = '', value = ''] = /^([\w-]+)\s*:\s*(.*?)\s*$/.exec(lines[at] ?? '') ?? []
    const key = name.toLowerCase()
    const isKnown =
      ['charset', 'from', 'subject'].includes(key) ||
      (key === 'postmaster-subject' && builtIn.postmasterSubject !== undefined)
    if (!isKnown) return reject(`unknown header "${name}"`)
    if (value === '') return reject(`empty ${name} value`)
    if (/[^\x20-\x7e]/.test(value)) return reject(`non-ASCII ${name} value`)
    headers.set(key, value)
  }
  if (lines[at] === '') at += 1
  else if (headers.size > 0 && at < lines.length) return reject('malformed header')
  const text = lines.slice(at)
  if (text.length === 0) return reject('missing message text')
  const charset = headers.get('charset') ?? builtIn.charset
  if (/[\x80-\xff]/.test(text.join('')) && charset.toLowerCase() === 'us-ascii') {
    return reject('8-bit message text without a charset')
  }
  return {
    name: builtIn.name,
    origin: path,
    charset,
    from: headers.get('from') ?? builtIn.from,
    subject: headers.get('subject') ?? builtIn.subject,
    postmasterSubject: headers.get('postmaster-subject') ?? builtIn.postmasterSubject,
    text,
  }
}
