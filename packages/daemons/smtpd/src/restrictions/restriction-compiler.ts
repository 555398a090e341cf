/**
 * restriction-compiler - makes functions of restriction lists
 *
 * A word is the name of a restriction, of a class in smtpd_restriction_classes, or a lookup table (which means
 * the access check that fits the list). A word that is none of these is a mistake that must not pass
 * unnoticed: everybody is told to come again. Source: Postfix 3.7 postconf(5).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { log } from '@posthorn/log/log'
import { splitList } from '@posthorn/config/split-list'
import type { MainConfig } from '@posthorn/config/main-config'
import type { LookupTable } from '@posthorn/tables/lookup-table'
import { accessCheck, isAccessCheck, type AccessCheckSettings } from './access-checks.ts'
import { blocklistCheck, type BlocklistSettings } from './blocklist-checks.ts'
import { policyServiceCheck } from './policy-service.ts'
import { isServerAccess, serverAccessCheck, type ServerSettings } from './server-access.ts'
import { replyText } from './reply-text.ts'
import {
  dunno,
  misconfigured,
  parseRestrictions,
  permit,
  refuse,
  type Check,
  type Restriction,
} from './restriction.ts'

export type ListName =
  | 'client'
  | 'helo'
  | 'sender'
  | 'relay'
  | 'recipient'
  | 'data'
  | 'endOfData'
  | 'etrn'
  | 'localRewrite'

/** What a bare table means in a list. */
const IMPLICIT_ACCESS: Readonly<Record<ListName, string>> = {
  client: 'check_client_access',
  helo: 'check_helo_access',
  sender: 'check_sender_access',
  relay: 'check_recipient_access',
  recipient: 'check_recipient_access',
  data: 'check_recipient_access',
  endOfData: 'check_recipient_access',
  etrn: 'check_etrn_access',
  localRewrite: 'check_client_access',
}

export interface CompilerOptions {
  readonly config: MainConfig
  readonly openTable: (name: string) => LookupTable
  readonly access: Omit<AccessCheckSettings, 'compile'>
  readonly blocklists: BlocklistSettings
  readonly servers: ServerSettings
  /** reject_code, defer_code */
  readonly codes: { readonly reject: number; readonly defer: number }
  /** Checks without an argument, by name. */
  readonly simple: ReadonlyMap<string, Check>
}

export class RestrictionCompiler {
  readonly #options: CompilerOptions
  readonly #access: AccessCheckSettings
  readonly #classes: ReadonlySet<string>
  readonly #compiled = new Map<string, readonly Check[]>()
  readonly #policyServices = new Map<string, Check>()

  constructor(options: CompilerOptions) {
    this.#options = options
    this.#access = {
      ...options.access,
      compile: (restrictions) => this.#compileAll(restrictions, 'recipient'),
    }
    this.#classes = new Set(options.config.list('smtpd_restriction_classes'))
  }

  /** @throws {ConfigError} */
  compile(words: readonly string[], list: ListName): Check[] {
    return this.#compileAll(parseRestrictions(words), list)
  }

  #compileAll(restrictions: readonly Restriction[], list: ListName): Check[] {
    return restrictions.map((restriction) => this.#compileOne(restriction, list))
  }

  #compileOne({ name: word, argument, next }: Restriction, list: ListName): Check {
    const { simple, openTable, blocklists, codes } = this.#options
    if (this.#classes.has(word)) return this.#compileClass(word, list)
    const name = word.includes(':') ? word : word.toLowerCase()
    if (isAccessCheck(name) || isServerAccess(name)) {
      if (argument?.includes(':') !== true) {
        const shown = argument ?? name
        return mistake(`restriction ${name}: bad argument "${shown}": need maptype:mapname`)
      }
      const table = openTable(argument)
      return (
        accessCheck(name, table, this.#access) ??
        serverAccessCheck(name, table, this.#access, this.#options.servers) ??
        unknownRestriction(word)
      )
    }
    if (name.includes(':')) {
      const implicit = IMPLICIT_ACCESS[list]
      return accessCheck(implicit, openTable(name), this.#access) ?? unknownRestriction(name)
    }
    switch (name) {
      case 'check_sasl_access':
        return ignored(`restriction \`${name}' ignored: no SASL support`)
      case 'check_ccert_access':
        return ignored(`${name} is requested, but "smtpd_tls_ask_ccert = no"`)
      case 'check_policy_service':
        return argument?.includes(':') === true
          ? this.#policyService(argument)
          : mistake(`restriction ${name} must be followed by transport:server`)
      case 'permit':
        return last(name, next, ({ subject }) => permit(name, subject))
      case 'reject':
        return last(name, next, (evaluation) =>
          refuse(replyText(codes.reject, '5.7.1', evaluation.describe('Access denied'))),
        )
      case 'defer':
        return last(name, next, (evaluation) =>
          refuse(replyText(codes.defer, '4.3.2', evaluation.describe('Try again later'))),
        )
      case 'defer_if_permit':
        return (evaluation) => {
          const text = evaluation.describe('defer_if_permit requested')
          evaluation.deferPermission(replyText(450, '4.7.0', text))
          return dunno
        }
      case 'defer_if_reject':
        return (evaluation) => {
          const text = evaluation.describe('defer_if_reject requested')
          evaluation.deferIfReject ??= replyText(450, '4.7.0', text)
          return dunno
        }
      case 'warn_if_reject':
        return (evaluation) => {
          evaluation.warnNext()
          return dunno
        }
      case 'sleep':
        if (!/^\d+$/.test(argument ?? ''))
          return mistake('restriction sleep must be followed by number')
        return async () => {
          await sleep(Number(argument) * 1000)
          return dunno
        }
      default:
        return (
          simple.get(name) ?? blocklistCheck(name, argument, blocklists) ?? unknownRestriction(word)
        )
    }
  }

  /** However often lists and tables name a service, its connections are the same. */
  #policyService(argument: string): Check {
    const known = this.#policyServices.get(argument)
    if (known !== undefined) return known
    const check = policyServiceCheck(argument, this.#options.config, this.#access)
    this.#policyServices.set(argument, check)
    return check
  }

  /** A class may refer to classes; it is compiled when it is first met in use. */
  #compileClass(name: string, list: ListName): Check {
    return async (evaluation) => {
      const key = `${list} ${name}`
      let checks = this.#compiled.get(key)
      if (checks === undefined) {
        checks = this.compile(splitList(this.#options.config.expanded(name)), list)
        this.#compiled.set(key, checks)
      }
      return evaluation.apply(checks)
    }
  }
}

/** What cannot apply, as nobody is authenticated here. */
function ignored(...warnings: readonly string[]): Check {
  return () => {
    for (const text of warnings) log.warning(text)
    return dunno
  }
}

/** Refusing everybody for now is safer than ignoring a word that was meant to refuse somebody. */
function mistake(text: string): Check {
  return () => {
    log.warning(text)
    return misconfigured
  }
}

function unknownRestriction(name: string): Check {
  return mistake(`unknown smtpd restriction: "${name}"`)
}

/** A restriction that always decides; what follows it is of no use. */
function last(name: string, next: string | undefined, check: Check): Check {
  if (next === undefined) return check
  return async (evaluation) => {
    evaluation.remark(`restriction \`${next}' after \`${name}' is ignored`)
    return check(evaluation)
  }
}
