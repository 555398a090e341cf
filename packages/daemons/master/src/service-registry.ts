/**
 * service-registry - the services that run, compared with those that master.cf names
 *
 * At start every listener is created before any service starts; one that cannot be created ends master. At a
 * reload, services are matched by full name and type: those that stay keep their listeners, new ones are created, others
 * are closed. Source: Postfix 3.7 master(5).
 */
import { ConfigError } from '@posthorn/config/config-error'
import { loadMasterConfig, type MasterEntry } from '@posthorn/config/master-config'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import {
  EndpointError,
  resolveEndpoint,
  type InetEndpoint,
  type NetworkSettings,
} from './inet-endpoint.ts'
import { createListeners, localEndpoint } from './listeners.ts'
import { Service, type ServiceSpec, type ServiceSurroundings } from './service.ts'
import type { Identity } from './identity.ts'

interface Wanted {
  readonly spec: ServiceSpec
  readonly endpoint: InetEndpoint | undefined
}

export class ServiceRegistry {
  readonly #services = new Map<string, Service>()
  readonly #network: NetworkSettings
  readonly #identity: Identity

  /** The network settings are those of the start: a reload cannot change them. */
  constructor(network: NetworkSettings, identity: Identity) {
    this.#network = network
    this.#identity = identity
  }

  get services(): readonly Service[] {
    return [...this.#services.values()]
  }

  /**
   * Makes the running services those of master.cf.
   * @throws {ConfigError} master.cf is wrong, or a listener cannot be created; services that ran before still do
   */
  async apply(config: MainConfig, surroundings: ServiceSurroundings): Promise<void> {
    const wanted = await this.#readWanted(config)
    const created = this.#createMissing(wanted, config, surroundings)
    for (const [key, service] of this.#services) {
      const found = wanted.get(key)
      if (found !== undefined) {
        service.reconfigure(found.spec, surroundings)
        continue
      }
      this.#services.delete(key)
      service.close()
    }
    for (const [key, service] of created) {
      this.#services.set(key, service)
      service.start()
    }
  }

  #createMissing(
    wanted: ReadonlyMap<string, Wanted>,
    config: MainConfig,
    surroundings: ServiceSurroundings,
  ): Map<string, Service> {
    const created = new Map<string, Service>()
    const defaultLimit = config.integer('default_process_limit')
    try {
      for (const [key, { spec, endpoint }] of wanted) {
        if (this.#services.has(key)) continue
        const settings = {
          // the kernel cuts it to net.core.somaxconn
          backlog: Math.min(Math.max(spec.entry.processLimit, defaultLimit), 0x7fffffff),
          windowBytes: config.integer('tcp_windowsize'),
        }
        const listeners = createListeners(spec.entry, endpoint, settings, this.#identity)
        created.set(key, new Service(spec, listeners, surroundings))
      }
      return created
    } catch (error) {
      for (const service of created.values()) service.close()
      throw error
    }
  }

  async #readWanted(config: MainConfig): Promise<Map<string, Wanted>> {
    const wanted = new Map<string, Wanted>()
    const entries = loadMasterConfig(config, (text) => {
      log.warning(text)
    })
    const isOffline = !this.#network.hasIpv4 && !this.#network.hasIpv6
    if (isOffline && entries.some((entry) => entry.type === 'inet')) {
      log.warning(
        `all network protocols are disabled (inet_protocols = ${this.#network.protocols})`,
      )
      log.warning('disabling all type "inet" services in master.cf')
    }
    for (const entry of entries) {
      if (isOffline && entry.type === 'inet') continue
      const found = await this.#resolve(entry, config)
      const key = `${found.spec.fullName}/${entry.type}`
      const before = wanted.get(key)?.spec
      if (before !== undefined) {
        log.warning(
          `duplicate master.cf entry for service "${before.entry.service}" (${before.fullName}) -- using the last entry`,
        )
        wanted.delete(key)
      }
      wanted.set(key, found)
    }
    return wanted
  }

  async #resolve(entry: MasterEntry, config: MainConfig): Promise<Wanted> {
    if (entry.type !== 'inet') {
      const path = localEndpoint(entry)
      const address = { family: 'unix', path } as const
      const spec = { entry, fullName: path, address, isLoopbackOnly: false }
      return { spec, endpoint: undefined }
    }
    try {
      const endpoint = await resolveEndpoint(entry.service, this.#network)
      const [address] = endpoint.addresses
      if (address === undefined) throw new EndpointError(`no address: ${entry.service}`)
      const { name: fullName, isLoopbackOnly } = endpoint
      return { spec: { entry, fullName, address, isLoopbackOnly }, endpoint }
    } catch (error) {
      if (!(error instanceof EndpointError)) throw error
      // what getaddrinfo(3) refuses is said without the place in Postfix; with it, it is found sooner
      const where = `${config.directory}/master.cf: line ${entry.line}`
      throw new ConfigError(`${where}: ${error.message}`, { cause: error })
    }
  }
}
