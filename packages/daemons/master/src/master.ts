/**
 * master - the life of the master process: start, reload, end
 *
 * Holds two locks for its life, so there is one master for a queue directory and a data directory. What a reload finds wrong is
 * logged, and the configuration before stays in force (Postfix 3.7 would end). When master ends by a signal it takes its
 * process group along; when it is killed, its processes see the end of descriptor 5 and leave when they are idle.
 *
 * Source: Postfix 3.7 master(8).
 */
import { availableParallelism, constants } from 'node:os'
import { ConfigError } from '@posthorn/config/config-error'
import { filteredEnvironment } from '@posthorn/config/environment'
import { MainConfig } from '@posthorn/config/main-config'
import { checkStartup } from '@posthorn/config/startup-checks'
import { flushLog, log, openLog } from '@posthorn/log/log'
import { pipePair } from '@posthorn/native/socket'
import { startWatchdog } from '@posthorn/native/watchdog'
import { readNetworkSettings, type NetworkSettings } from './inet-endpoint.ts'
import { takeLockFile } from './lock-file.ts'
import { ServiceRegistry } from './service-registry.ts'
import type { Identity } from './identity.ts'
import type { MasterOptions } from './master-options.ts'
import type { ServiceSurroundings } from './service.ts'

const WATCHDOG_SECONDS = 1000
export const MASTER_LOCK = 'pid/master.pid'

export class Master {
  readonly #options: MasterOptions
  readonly #queueDirectory: string
  readonly #network: NetworkSettings
  readonly #registry: ServiceRegistry
  readonly #flow = pipePair()
  #config: MainConfig
  #generation = 0
  /** Hang-ups that come while one is worked on are one more reload. */
  #isReloading = false
  #isReloadWanted = false

  private constructor(
    config: MainConfig,
    options: MasterOptions,
    identity: Identity,
    network: NetworkSettings,
  ) {
    this.#config = config
    this.#options = options
    this.#queueDirectory = config.text('queue_directory')
    this.#network = network
    this.#registry = new ServiceRegistry(network, identity)
  }

  /**
   * Resolves when every listener is there. The working directory is the queue directory.
   * @throws {ConfigError} another master runs, or the configuration is wrong
   */
  static async start(
    config: MainConfig,
    options: MasterOptions,
    identity: Identity,
  ): Promise<Master> {
    takeLockFile(MASTER_LOCK)
    identity.asMailOwner(() => {
      takeLockFile(`${config.text('data_directory')}/master.lock`)
    })
    const network = await readNetworkSettings(config)
    const master = new Master(config, options, identity, network)
    await master.#registry.apply(config, master.#surroundings())
    master.#handleSignals()
    if (!options.isDebugged) startWatchdog(WATCHDOG_SECONDS)
    setInterval(() => undefined, 0x7fffffff) // a master without services waits for a reload
    if (options.exitSeconds !== undefined) master.#exitAfter(options.exitSeconds)
    log.info(`daemon started -- ${about(config)}`)
    return master
  }

  #surroundings(): ServiceSurroundings {
    const config = this.#config
    const { staysAttached, isVerbose } = this.#options
    return {
      daemonDirectory: config.text('daemon_directory'),
      environment: this.#childEnvironment(),
      throttleSeconds: config.seconds('service_throttle_time'),
      workers: config.integer('service_worker_limit') || availableParallelism(),
      staysAttached,
      isVerbose,
      flow: this.#flow,
      nextGeneration: () => {
        this.#generation = (this.#generation + 1) % 0x1_0000_0000
        return this.#generation
      },
    }
  }

  /** Without MAIL_CONFIG a process would read somebody else's configuration, whatever import_environment says. */
  #childEnvironment(): Record<string, string> {
    const tag = { ...process.env, MAIL_LOGTAG: this.#config.text('syslog_name') }
    return {
      ...filteredEnvironment(this.#config, 'import_environment', tag),
      MAIL_CONFIG: this.#config.directory,
    }
  }

  #handleSignals(): void {
    process.on('SIGHUP', () => {
      this.#isReloadWanted = true
      if (!this.#isReloading) this.#reloadAsWanted().catch(rethrow)
    })
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
      process.on(signal, () => {
        this.#die(signal)
      })
    }
  }

  #exitAfter(seconds: number): void {
    setTimeout(
      () => {
        log.info('master exit time has arrived')
        flushLog()
        // eslint-disable-next-line n/no-process-exit -- -e: children leave when they are idle
        process.exit(0)
      },
      Math.min(seconds * 1000, 0x7fffffff),
    )
  }

  async #reloadAsWanted(): Promise<void> {
    this.#isReloading = true
    while (this.#isReloadWanted) {
      this.#isReloadWanted = false
      await this.#reload()
    }
    this.#isReloading = false
  }

  async #reload(): Promise<void> {
    const before = this.#config
    try {
      const config = MainConfig.load({ directory: before.directory, program: 'master' })
      openMasterLog(config, this.#options)
      log.info(`reload -- ${about(config)}`)
      for (const warning of [...config.warnings, ...checkStartup(config)]) log.warning(warning)
      this.#warnOfFixed(config)
      this.#config = config
      await this.#registry.apply(config, this.#surroundings())
    } catch (error) {
      this.#config = before
      if (error instanceof ConfigError) for (const warning of error.warnings) log.warning(warning)
      const text = error instanceof ConfigError ? error.message : String(error)
      // no error: the thirteenth would end master
      log.warning(`${text} -- keeping the configuration of before`)
    }
  }

  /** What takes a restart. */
  #warnOfFixed(config: MainConfig): void {
    const fixed = [
      ['queue_directory', this.#queueDirectory],
      ['inet_protocols', this.#network.protocols],
    ] as const
    for (const [name, value] of fixed) {
      if (config.text(name) === value) continue
      log.warning(`ignoring ${name} parameter value change`)
      log.warning(`old value: "${value}", new value: "${config.text(name)}"`)
      log.warning(`to change ${name}, stop and start Postfix`)
    }
    if (config.text('inet_interfaces') === this.#network.interfaces) return
    for (const { spec } of this.#registry.services) {
      if (spec.entry.type !== 'inet') continue
      log.warning(`service ${spec.entry.service}: ignoring inet_interfaces change`)
      log.warning('to change inet_interfaces, stop and start Postfix')
    }
  }

  /** Takes the process group along, then dies by the same signal. */
  #die(signal: 'SIGTERM' | 'SIGINT' | 'SIGQUIT'): void {
    process.removeAllListeners(signal)
    process.on('SIGTERM', () => undefined) // our own, to the group
    if (this.#options.staysAttached || this.#options.isInit || !terminateGroup()) {
      for (const service of this.#registry.services) service.terminate()
    }
    log.info(`terminating on signal ${constants.signals[signal]}`)
    flushLog()
    // eslint-disable-next-line n/no-process-exit -- process 1 has no signal to die by
    if (this.#options.isInit) process.exit(0)
    process.removeAllListeners('SIGTERM')
    process.kill(process.pid, signal)
  }
}

/**
 * With -d, lines go to the terminal too.
 * @param hasFailed master is about to end, so its own postlog socket will never have a reader
 * @throws {ConfigError}
 */
export function openMasterLog(config: MainConfig, options: MasterOptions, hasFailed = false): void {
  const { isVerbose, staysAttached } = options
  openLog({
    program: 'master',
    config,
    isDaemon: true,
    fallsBack: true,
    writesFile: hasFailed,
    isVerbose,
    stderr: staysAttached,
  })
}

function about(config: MainConfig): string {
  return `version ${config.text('mail_version')}, configuration ${config.directory}`
}

function rethrow(error: unknown): never {
  throw error
}

/** False: this process leads no group. */
function terminateGroup(): boolean {
  try {
    process.kill(-process.pid, 'SIGTERM')
    return true
  } catch {
    return false
  }
}
