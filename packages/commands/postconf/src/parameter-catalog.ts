/**
 * parameter-catalog - every name that main.cf may have, with its class, default and value
 *
 *     builtin   in the registry
 *     service   <service>_<suffix>, for the delivery agents in master.cf
 *     user      defined in main.cf and used by something; and legacy names that are set
 *
 * Names newer than Postfix 3.7 show only when they are set or asked for. Source: Postfix 3.7 postconf(1).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { findParameter, parameterNames } from '@posthorn/config/parameter-registry'
import { LEGACY_PARAMETERS } from '@posthorn/config/registry/legacy-parameters'
import {
  TRANSPORT_INTEGERS,
  TRANSPORT_TEXTS,
  TRANSPORT_TIMES,
} from '@posthorn/config/registry/transport-parameters'

export const PARAMETER_CLASSES = ['builtin', 'service', 'user'] as const
export type ParameterClass = (typeof PARAMETER_CLASSES)[number]

const DELIVERY_AGENTS = ['local', 'error', 'virtual', 'smtp', 'lmtp', 'pipe']
const TIME_LIMIT = '_time_limit'

export class ParameterCatalog {
  readonly config: MainConfig
  readonly #serviceDefaults: ReadonlyMap<string, string>
  readonly #userNames = new Set<string>()

  /** @param services service name and command of each entry in master.cf */
  constructor(config: MainConfig, services: readonly { service: string; command: string }[]) {
    this.config = config
    this.#serviceDefaults = serviceParameters(services)
    for (const name of LEGACY_PARAMETERS) {
      if (config.isSet(name)) this.#userNames.add(name)
    }
  }

  classOf(name: string): ParameterClass | undefined {
    if (this.#serviceDefaults.has(name)) return 'service'
    if (findParameter(name) !== undefined) return 'builtin'
    return this.#userNames.has(name) ? 'user' : undefined
  }

  /** Something refers to this name, which main.cf defines. */
  addUserName(name: string): void {
    if (this.classOf(name) === undefined) this.#userNames.add(name)
  }

  isRaw(name: string): boolean {
    return findParameter(name)?.type === 'raw'
  }

  /** Unexpanded. */
  defaultOf(name: string): string | undefined {
    return findParameter(name) ? this.config.findDefault(name) : this.#serviceDefaults.get(name)
  }

  /** Unexpanded: what is set, else the default. */
  valueOf(name: string): string | undefined {
    return this.config.find(name) ?? this.#serviceDefaults.get(name)
  }

  /** Sorted by octets. */
  names(classes: ReadonlySet<ParameterClass>): string[] {
    const all: string[] = []
    if (classes.has('builtin')) {
      const shown = parameterNames().filter((name) => this.classOf(name) === 'builtin')
      all.push(...shown.filter((name) => this.config.isSet(name) || !isNewer(name)))
    }
    if (classes.has('service')) all.push(...this.#serviceDefaults.keys())
    if (classes.has('user')) all.push(...this.#userNames)
    return all.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  }
}

function isNewer(name: string): boolean {
  return findParameter(name)?.spec.since !== undefined
}

function serviceParameters(
  services: readonly { service: string; command: string }[],
): Map<string, string> {
  const found = new Map<string, string>()
  const tables = { ...TRANSPORT_INTEGERS, ...TRANSPORT_TIMES, ...TRANSPORT_TEXTS }
  for (const { service, command } of services) {
    const isAgent = DELIVERY_AGENTS.includes(command)
    for (const [suffix, { fallback }] of Object.entries(tables)) {
      const isTaken = suffix === TIME_LIMIT ? command === 'pipe' || command === 'spawn' : isAgent
      const name = `${service}${suffix}`
      if (isTaken) {
        found.set(name, findParameter(name)?.spec.default ?? `$${fallback}`)
      }
    }
  }
  return found
}
