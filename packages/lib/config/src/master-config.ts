/**
 * master-config - master.cf: which services there are, how they are run, with which arguments
 *
 * Lexing is that of main.cf; fields are separated by white space, and braces protect white space in arguments.
 * What needs the network (host names, ports) is left to master(8). Source: Postfix 3.7 master(5).
 */
import { readFileSync } from 'node:fs'
import { splitAssignment } from './assignment.ts'
import { unbrace } from './braces.ts'
import { ConfigError } from './config-error.ts'
import { parseCompatibilityLevel } from './compatibility-level.ts'
import { readLogicalLines } from './logical-lines.ts'
import type { MainConfig } from './main-config.ts'
import { splitList, splitWords } from './split-list.ts'
import { strerror } from './strerror.ts'

const SERVICE_TYPES = ['inet', 'unix', 'unix-dgram', 'fifo', 'pass'] as const
export type ServiceType = (typeof SERVICE_TYPES)[number]

export interface MasterEntry {
  /** First column: the name of the service, or host and port. */
  readonly service: string
  readonly type: ServiceType
  readonly isPrivate: boolean
  readonly isUnprivileged: boolean
  readonly isChrooted: boolean
  /** 0: never. */
  readonly wakeupSeconds: number
  /** `?`: no wake-up until the service has been used once. */
  readonly isWakeupOnDemand: boolean
  /** 0: no limit. */
  readonly processLimit: number
  /** A name below daemon_directory. */
  readonly command: string
  readonly args: readonly string[]
  /** Of master.cf, counted from 1. */
  readonly line: number
}

export interface MasterLine {
  readonly text: string
  /** Braces kept as they are. */
  readonly fields: readonly string[]
  readonly line: number
}

/**
 * The entries as text: for postconf(1), which shows what is there.
 * @throws {ConfigError} master.cf cannot be read
 */
export function readMasterLines(directory: string, warn: (text: string) => void): MasterLine[] {
  const path = `${directory}/master.cf`
  let source: string
  try {
    // eslint-disable-next-line n/no-sync -- a small file, at the start of a program and at reload
    source = readFileSync(path, 'latin1')
  } catch (error) {
    throw new ConfigError(`open ${path}: ${strerror(error)}`, { cause: error })
  }
  return readLogicalLines(source, path, warn).map(({ text, first }) => {
    return { text, fields: splitList(text, ' \t\r\n'), line: first }
  })
}

/**
 * All services but those that master_service_disable names.
 * @throws {ConfigError} master.cf cannot be read, or has a bad entry
 */
export function loadMasterConfig(
  config: MainConfig,
  warn: (text: string) => void = () => undefined,
): MasterEntry[] {
  const path = `${config.directory}/master.cf`
  const isDisabled = disabledServices(config.text('master_service_disable'))
  const isChrootDefault = chrootDefault(config)
  const entries: MasterEntry[] = []
  for (const line of readMasterLines(config.directory, warn)) {
    const fields = new EntryFields(line, path)
    const service = fields.take('service')
    const type = serviceType(fields)
    if (isDisabled(service, type)) continue
    const isPrivate = fields.flag('private', true)
    if (isPrivate && type === 'inet') throw fields.error('inet service cannot be private')
    const isUnprivileged = fields.flag('unprivileged', true)
    const isChrooted = fields.flag('chroot', isChrootDefault, (value) => {
      if (value)
        warn(`${path}: line ${line.line}: using backwards-compatible default setting chroot=y`)
    })
    const wakeup = fields.take('wakeup_time', '0')
    entries.push({
      service,
      type,
      isPrivate,
      isUnprivileged,
      isChrooted,
      wakeupSeconds: fields.number('wakeup_time', wakeup),
      isWakeupOnDemand: wakeup.endsWith('?'),
      processLimit: fields.limit(config),
      command: fields.take('command'),
      args: fields.rest(),
      line: line.line,
    })
  }
  return entries
}

/** The value of a `-o` option. @throws {ConfigError} */
export function parseOverride(text: string): readonly [name: string, value: string] {
  const found = splitAssignment(text)
  if (found.kind === 'assignment') return [found.name, found.value]
  throw new ConfigError(`invalid "-o ${text}" option value: ${found.why}`)
}

/** Takes the fields of an entry from left to right. */
class EntryFields {
  readonly #line: MasterLine
  readonly #path: string
  #next = 0

  constructor(line: MasterLine, path: string) {
    this.#line = line
    this.#path = path
  }

  error(why: string): ConfigError {
    return new ConfigError(`${this.#path}: line ${this.#line.line}: ${why}`)
  }

  take(field: string, fallback?: string): string {
    const value = this.#line.fields[this.#next++]
    if (value === undefined) throw this.error(`missing "${field}" field`)
    if (value !== '-' || this.#next === 1) return value
    if (fallback === undefined) throw this.error(`field "${field}" has no default value`)
    return fallback
  }

  /** @param defaulted is told the value when the field is `-` */
  flag(field: string, fallback: boolean, defaulted?: (value: boolean) => void): boolean {
    const value = this.take(field, '')
    if (value === '') defaulted?.(fallback)
    if (value === '') return fallback
    if (value === 'y') return true
    if (value === 'n') return false
    throw this.error(`field "${field}": bad value: "${value}"`)
  }

  /** Must begin with a digit; only the leading digits count, as with atoi(3). */
  number(field: string, value: string): number {
    const digits = /^\d+/.exec(value)
    if (!digits) throw this.error(`field "${field}": bad value: "${value}"`)
    return Number(digits[0])
  }

  limit(config: MainConfig): number {
    const value = this.take('max_proc', '')
    return value === '' ? config.integer('default_process_limit') : this.number('max_proc', value)
  }

  rest(): string[] {
    return this.#line.fields.slice(this.#next).map((item) => {
      if (!item.startsWith('{')) return item
      const inside = unbrace(item)
      if (inside.kind === 'malformed') throw this.error(inside.why)
      return inside.text
    })
  }
}

function serviceType(fields: EntryFields): ServiceType {
  const type = fields.take('transport type')
  const found = SERVICE_TYPES.find((one) => one === type)
  if (found === undefined) throw fields.error(`bad transport type: ${type}`)
  return found
}

function chrootDefault(config: MainConfig): boolean {
  const level = parseCompatibilityLevel(config.expanded('compatibility_level')) ?? 0
  return level < (parseCompatibilityLevel('1') ?? 0)
}

/** `name/type`, `type`, the old `name.type`, `!` before any of them; the first that matches decides. */
function disabledServices(list: string): (service: string, type: ServiceType) => boolean {
  const patterns = splitWords(list.toLowerCase()).map((word) => {
    const negations = /^!*/.exec(word)?.[0].length ?? 0
    const pattern = word.slice(negations)
    const oldForm = /^(.+)\.(inet|unix|unix-dgram|fifo|pass)$/.exec(pattern)
    return {
      pattern: oldForm ? `${oldForm[1] ?? ''}/${oldForm[2] ?? ''}` : pattern,
      isDisabled: negations % 2 === 0,
    }
  })
  return (service, type) => {
    const name = `${service}/${type}`.toLowerCase()
    const found = patterns.find(({ pattern }) => pattern === name || pattern === type)
    return found?.isDisabled ?? false
  }
}
