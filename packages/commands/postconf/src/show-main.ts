/**
 * show-main - postconf [-d | -n] [-x] [name...]: parameters of main.cf
 */
import { ConfigError } from '@posthorn/config/config-error'
import { expandMacros, MacroError } from '@posthorn/config/expand-macros'
import { MainConfig } from '@posthorn/config/main-config'
import type { PostconfRequest } from './command-line.ts'
import { formatSetting } from './output-lines.ts'
import type { ParameterCatalog } from './parameter-catalog.ts'

/** Expands a value of main.cf, knowing every default. @throws {ConfigError} */
export function expandIn(text: string, find: (name: string) => string | undefined): string {
  try {
    return expandMacros(text, find)
  } catch (error) {
    if (!(error instanceof MacroError)) throw error
    throw new ConfigError('macro processing error', { cause: error, warnings: [error.message] })
  }
}

/** What is printed; unknown names are warned about. */
export function showMain(
  request: PostconfRequest,
  catalog: ParameterCatalog,
  warn: (text: string) => void,
): string {
  const names = request.operands.length > 0 ? request.operands : catalog.names(request.classes)
  let output = ''
  for (const name of names) {
    const found = catalog.classOf(name)
    if (found === undefined || !request.classes.has(found)) {
      warn(`${name}: unknown parameter`)
      continue
    }
    if (request.show === 'settings' && !isShownAsSet(request, catalog, name)) continue
    const value = valueOf(request, catalog, name)
    output += formatSetting(name, value, request)
  }
  return output
}

/** config_directory counts only when the user chose one. */
function isShownAsSet(
  request: PostconfRequest,
  { config }: ParameterCatalog,
  name: string,
): boolean {
  if (findReadOnly(name)) return false
  if (name !== 'config_directory') return config.isSet(name)
  return (
    config.lineOf(name) !== undefined ||
    request.directory !== undefined ||
    process.env['MAIL_CONFIG'] !== undefined
  )
}

function findReadOnly(name: string): boolean {
  return name === 'process_name' || name === 'process_id' || name === 'service_name'
}

function valueOf(request: PostconfRequest, catalog: ParameterCatalog, name: string): string {
  const isDefault = request.show === 'defaults'
  const find = (one: string): string | undefined =>
    isDefault ? catalog.defaultOf(one) : catalog.valueOf(one)
  const value = find(name) ?? ''
  return request.isExpanded && !catalog.isRaw(name) ? expandIn(value, find) : value
}

/** The configuration that -d shows: no main.cf at all. */
export function defaultsOnly(): MainConfig {
  return MainConfig.parse('', { directory: '/etc/postfix', program: 'postconf', service: '' })
}
