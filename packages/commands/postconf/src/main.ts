#!/usr/bin/env node
/**
 * postconf(1) - show and change the configuration
 *
 * Modes: parameters of main.cf (plain, -d, -n), entries, fields and parameters of master.cf (-M, -F, -P),
 * lookup table types (-m), mailbox locks (-l). Diagnostics go to standard error; 1 means that nothing was done.
 * Source: Postfix 3.7 postconf(1).
 */
import { basename } from 'node:path'
import { selectConfigDirectory } from '@posthorn/config/config-directory'
import { ConfigError } from '@posthorn/config/config-error'
import { MainConfig } from '@posthorn/config/main-config'
import { checkStartup } from '@posthorn/config/startup-checks'
import { TABLE_TYPES } from '@posthorn/tables/table-types'
import { parseCommandLine, UsageError, type PostconfRequest } from './command-line.ts'
import { editMain } from './edit-main.ts'
import { readMasterText, type MasterText } from './master-text.ts'
import { NameReferences } from './name-references.ts'
import { ParameterCatalog } from './parameter-catalog.ts'
import { defaultsOnly, showMain } from './show-main.ts'
import { MasterView } from './show-master.ts'

const HELP = `Usage: postconf [option...] [name...]
       postconf [-c config_dir] [-e] name=value...
       postconf [-c config_dir] -X|-# name...

Shows or changes the configuration. Without a name: all parameters.

What to show:
  -d                defaults, not what is set
  -n                only what main.cf sets
  -C class          only parameters of these classes: builtin, service, user, all
  -M [name[/type]]  services of master.cf
  -F [name[/type[/field]]]     fields of master.cf
  -P [name[/type[/parameter]]] -o settings in master.cf
  -l                ways to lock a mailbox
  -m                types of lookup tables
  -a, -A, -T mode   SASL and TLS: nothing to show yet

How:
  -f                fold long lines
  -h                values without names
  -H                names without values
  -o name=value     as if main.cf said so
  -q                no warnings about parameters that nobody uses
  -x                with $name expanded

Changes to main.cf:
  -e                set (may be left out)
  -X                remove
  -#                make a comment of it

  -c config_dir     use the main.cf and master.cf in this directory
  -v                accepted
  --help            show this text
`

const program = basename(process.argv[1] ?? 'postconf').replace(/\.[jt]s$/, '')

function complain(text: string): void {
  process.stderr.write(`${program}: ${text}\n`)
}

function warn(text: string): void {
  complain(`warning: ${text}`)
}

function run(request: PostconfRequest): string {
  if (request.directory !== undefined) process.env['MAIL_CONFIG'] = request.directory
  if (request.edit !== undefined) return edit(request, request.edit)
  switch (request.mode) {
    case 'm':
      loadConfig(request, true)
      return TABLE_TYPES.map((type) => `${type}\n`).join('')
    case 'l':
      return 'flock\nfcntl\ndotlock\n'
    case 'a':
    case 'A':
      return ''
    case 'T':
      return tlsAnswer(request.tlsQuery)
    case 'b':
    case 't':
      throw new ConfigError(`option -${request.mode} is not available`)
    case 'p':
    case 'M':
    case 'F':
    case 'P':
      return show(request, request.mode)
  }
}

/** Without TLS there is nothing to tell. */
function tlsAnswer(query: string): string {
  if (!['compile-version', 'run-version', 'public-key-algorithms'].includes(query)) {
    warn(`unknown 'postconf -T' mode: ${query}`)
    process.exitCode = 1
  }
  return ''
}

function show(request: PostconfRequest, mode: 'p' | 'M' | 'F' | 'P'): string {
  const isDefaults = request.show === 'defaults'
  const config = isDefaults ? defaultsOnly() : loadConfig(request, false)
  const directory = isDefaults ? selectConfigDirectory() : config.directory
  const entries = masterEntries(directory, mode !== 'p')
  const catalog = new ParameterCatalog(config, entries)
  if (isDefaults) return showMain(request, catalog, warn)
  const references = new NameReferences(catalog, entries, warn)
  if (mode === 'p') {
    print(showMain(request, catalog, warn))
    if (!request.isQuiet) references.warnUnusedMain()
  } else {
    print(new MasterView(request, catalog, entries).show(mode, warn))
  }
  if (!request.isQuiet) references.warnUnusedMaster()
  return ''
}

function masterEntries(directory: string, isNeeded: boolean): MasterText[] {
  try {
    return readMasterText(directory, warn)
  } catch (error) {
    const isMissing = error instanceof ConfigError && error.message.startsWith('open ')
    if (!isMissing || isNeeded) throw error
    warn(error.message)
    return []
  }
}

function loadConfig(request: PostconfRequest, isChecked: boolean): MainConfig {
  const config = MainConfig.load({ overrides: request.overrides, program: 'postconf', service: '' })
  config.warnings.forEach(warn)
  if (isChecked) checkStartup(config).forEach(warn)
  return config
}

function edit(request: PostconfRequest, kind: 'e' | 'X' | '#'): string {
  if (request.operands.length === 0 && kind !== 'e') {
    throw new ConfigError('missing service argument')
  }
  if (request.mode !== 'p') {
    throw new ConfigError(`cannot edit master.cf: option -${request.mode} only shows`)
  }
  editMain(selectConfigDirectory(), kind, request.operands, warn)
  return ''
}

function print(text: string): void {
  process.stdout.write(text, 'latin1')
}

try {
  const args = process.argv.slice(2)
  print(args[0] === '--help' ? HELP : run(parseCommandLine(args)))
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  if (error instanceof UsageError && error.complaint !== undefined) complain(error.complaint)
  error.warnings.forEach(warn)
  complain(`fatal: ${error.message}`)
  process.exitCode = 1
}
