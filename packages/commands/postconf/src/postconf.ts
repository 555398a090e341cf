/**
 * postconf - what the command does with its arguments: it shows, or it changes, or it complains
 *
 * Nothing here touches the process: output and diagnostics go where the caller says.
 */
import { selectConfigDirectory } from '@posthorn/config/config-directory'
import { ConfigError } from '@posthorn/config/config-error'
import { MainConfig } from '@posthorn/config/main-config'
import { checkStartup } from '@posthorn/config/startup-checks'
import { TABLE_TYPES } from '@posthorn/tables/table-types'
import { showTemplates } from './bounce-templates.ts'
import {
  parameterOverride,
  parseCommandLine,
  UsageError,
  type Edit,
  type PostconfRequest,
} from './command-line.ts'
import { editMain } from './edit-main.ts'
import { editMaster } from './edit-master.ts'
import { HELP } from './help.ts'
import { readMasterText, type MasterText } from './master-text.ts'
import { NameReferences } from './name-references.ts'
import { ParameterCatalog } from './parameter-catalog.ts'
import { defaultsOnly, showMain } from './show-main.ts'
import { MasterView } from './show-master.ts'

export interface PostconfOutput {
  readonly print: (text: string) => void
  /** One line of diagnostics. */
  readonly complain: (text: string) => void
}

/** Does what the arguments say. @returns the exit status */
export async function postconf(args: readonly string[], output: PostconfOutput): Promise<number> {
  const { print } = output
  const complain = (text: string): void => {
    output.complain(text.replace(/[^\x20-\x7e]/g, '?'))
  }
  const warn = (text: string): void => {
    complain(`warning: ${text}`)
  }
  try {
    if (args[0] === '--help') print(HELP)
    else return await new Postconf(parseCommandLine(args), warn, print).run()
    return 0
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    if (error instanceof UsageError && error.complaint !== undefined) complain(error.complaint)
    error.warnings.forEach(warn)
    complain(`fatal: ${error.message}`)
    return 1
  }
}

class Postconf {
  readonly #request: PostconfRequest
  readonly #warn: (text: string) => void
  readonly #print: (text: string) => void
  readonly #directory: string

  constructor(
    request: PostconfRequest,
    warn: (text: string) => void,
    print: (text: string) => void,
  ) {
    this.#request = request
    this.#warn = warn
    this.#print = print
    this.#directory = request.directory ?? selectConfigDirectory()
  }

  async run(): Promise<number> {
    const { edit, mode, tlsQuery } = this.#request
    if (edit !== undefined) {
      await this.#edit(edit)
      return 0
    }
    switch (mode) {
      case 'm':
        checkStartup(this.#loadConfig()).forEach(this.#warn)
        this.#print(TABLE_TYPES.map((type) => `${type}\n`).join(''))
        return 0
      case 'l':
        this.#print('flock\nfcntl\ndotlock\n')
        return 0
      case 'a':
      case 'A':
        return 0
      case 'T':
        return this.#answerTls(tlsQuery)
      case 'b':
      case 't':
        return this.#templates(mode === 'b')
      case 'p':
      case 'M':
      case 'F':
      case 'P':
        this.#show(mode)
        return 0
    }
  }

  #templates(isExpanded: boolean): number {
    const config = this.#loadConfig()
    checkStartup(config).forEach(this.#warn)
    return showTemplates(config, isExpanded, this.#request.operands, this.#print)
  }

  /** Without TLS there is nothing to tell. */
  #answerTls(query: string): number {
    if (['compile-version', 'run-version', 'public-key-algorithms'].includes(query)) return 0
    this.#warn(`unknown 'postconf -T' mode: ${query}`)
    return 1
  }

  #show(mode: 'p' | 'M' | 'F' | 'P'): void {
    const request = this.#request
    const isDefaults = request.show === 'defaults'
    const needed = mode === 'p' ? undefined : this.#masterEntries(true)
    const config = isDefaults ? defaultsOnly() : this.#loadConfig()
    const entries = needed ?? this.#masterEntries(false)
    const catalog = new ParameterCatalog(config, entries)
    if (isDefaults) {
      this.#print(showMain(request, catalog, this.#warn))
      return
    }
    const references = new NameReferences(catalog, entries, this.#warn)
    if (mode === 'p') {
      this.#print(showMain(request, catalog, this.#warn))
      if (!request.isQuiet) references.warnUnusedMain()
    } else {
      this.#print(new MasterView(request, catalog, entries).show(mode, this.#warn))
    }
    if (!request.isQuiet) references.warnUnusedMaster()
  }

  #masterEntries(isNeeded: boolean): MasterText[] {
    try {
      return readMasterText(this.#directory, this.#warn)
    } catch (error) {
      const isMissing = error instanceof ConfigError && error.message.startsWith('open ')
      if (!isMissing || isNeeded) throw error
      this.#warn(error.message)
      return []
    }
  }

  #loadConfig(): MainConfig {
    const identity = { program: 'postconf', service: '' }
    const config = MainConfig.load({ directory: this.#directory, ...identity })
    config.warnings.forEach(this.#warn)
    const overrides = this.#request.overrides.map(parameterOverride)
    return overrides.length === 0 ? config : config.withOverrides({ overrides, ...identity })
  }

  async #edit(kind: Edit): Promise<void> {
    const { mode, operands } = this.#request
    if (operands.length === 0) {
      throw new ConfigError(
        kind === 'e' ? '-e requires name=value argument' : 'missing service argument',
      )
    }
    if (mode === 'M' || mode === 'F' || mode === 'P') {
      await editMaster(this.#directory, mode, kind, operands, this.#warn)
    } else {
      await editMain(this.#directory, kind, operands, this.#warn)
    }
  }
}
