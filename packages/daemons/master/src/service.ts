/**
 * service - one service of master.cf at run time: its sockets, its processes, its bad luck
 *
 * The listeners are watched only while nobody is free to take a client and another process may be started. When one
 * becomes readable, a process is started and takes the client; master accepts nothing itself. A program that ends badly
 * before it has served anybody is throttled: no process for service_throttle_time, and its wake-ups are skipped.
 *
 * Source: Postfix 3.7 master(8).
 */
import { constants } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import type { MasterEntry } from '@posthorn/config/master-config'
import { log, logAt } from '@posthorn/log/log'
import { ListenerWatch } from '@posthorn/native/listener-watch'
import { errorCode, errorReason } from '@posthorn/native/system-error'
import type { Descriptor } from '@posthorn/native/descriptor'
import type { SocketAddress } from '@posthorn/native/socket'
import { childArguments, childEnvironment, hasStressOption } from './child-command.ts'
import { startChild, type ChildEnd } from './child-process.ts'
import { ProcessTable } from './process-table.ts'
import { StatusReader } from './status-reader.ts'
import { StressGauge } from './stress-gauge.ts'
import { WakeupTimer, wakeService } from './wakeup-timer.ts'

/** What all services share, and what a reload may change. */
export interface ServiceSurroundings {
  readonly daemonDirectory: string
  readonly environment: Readonly<Record<string, string>>
  readonly throttleSeconds: number
  readonly workers: number
  readonly staysAttached: boolean
  readonly isVerbose: boolean
  /** Read end and write end of the flow-control pipe. */
  readonly flow: readonly [Descriptor, Descriptor]
  /** A number for the next process, unique in the life of master. */
  readonly nextGeneration: () => number
}

export interface ServiceSpec {
  readonly entry: MasterEntry
  /** `private/rewrite`, `25`, `[127.0.0.1]:25`: with the type, the service's identity. */
  readonly fullName: string
  /** Where the wake-up goes. */
  readonly address: SocketAddress
  readonly isLoopbackOnly: boolean
}

export class Service {
  #spec: ServiceSpec
  #surroundings: ServiceSurroundings
  readonly #watches: readonly ListenerWatch[]
  readonly #table: ProcessTable
  readonly #stress = new StressGauge()
  #status: StatusReader
  #wakeup: WakeupTimer
  #throttle: NodeJS.Timeout | undefined
  #isStarting = false
  #isClosed = false

  /** Owns the listeners. */
  constructor(
    spec: ServiceSpec,
    listeners: readonly Descriptor[],
    surroundings: ServiceSurroundings,
  ) {
    this.#spec = spec
    this.#surroundings = surroundings
    this.#table = new ProcessTable(spec.entry.processLimit, surroundings.workers)
    this.#watches = listeners.map(
      (listener) =>
        new ListenerWatch(listener, () => {
          this.#clientWaits()
        }),
    )
    this.#status = this.#openStatus()
    this.#wakeup = this.#makeWakeup()
  }

  get spec(): ServiceSpec {
    return this.#spec
  }

  get pids(): readonly number[] {
    return this.#table.pids
  }

  /** Listens from now on. */
  start(): void {
    this.#wakeup.start()
    this.#listen()
  }

  /**
   * A reload: listeners stay, processes leave when they are idle, new ones run by the new configuration.
   */
  reconfigure(spec: ServiceSpec, surroundings: ServiceSurroundings): void {
    const isSameProgram =
      spec.entry.command === this.#spec.entry.command &&
      isDeepStrictEqual(spec.entry.args, this.#spec.entry.args)
    this.#wakeup.stop()
    this.#spec = spec
    this.#surroundings = surroundings
    this.#table.reconfigure(spec.entry.processLimit, isSameProgram)
    this.#replaceProcesses()
    this.#wakeup = this.#makeWakeup()
    this.start()
  }

  /** The service is gone from master.cf: its processes are told to end at once. */
  close(): void {
    this.#isClosed = true
    this.#wakeup.stop()
    clearTimeout(this.#throttle)
    this.#status.close()
    for (const watch of this.#watches) watch.close()
    this.terminate()
  }

  /** TERM for every process. */
  terminate(): void {
    for (const pid of this.#table.pids) {
      try {
        process.kill(pid, 'SIGTERM')
      } catch (error) {
        if (errorCode(error) !== 'ESRCH') throw error // it has ended, and we have not heard yet
      }
    }
  }

  /** Watches the listeners, or not, as the state of the processes demands. */
  #listen(): void {
    if (this.#isClosed) return
    const { isExhausted, hasRoom } = this.#table
    const isIdle = !isExhausted || this.#throttle !== undefined || this.#isStarting
    if (isIdle || !hasRoom) {
      for (const watch of this.#watches) watch.pause()
      if (!isIdle) this.#full()
      return
    }
    for (const watch of this.#watches) watch.resume()
  }

  /** Every process is busy and no other may be started. */
  #full(): void {
    if (!this.#hasStress) return
    if (this.#table.isShared) this.#noteStress()
    if (!this.#stress.shouldWarn(Date.now())) return
    const { service, processLimit } = this.#spec.entry
    log.warning(
      `service "${service}" (${this.#spec.fullName}) has reached its process limit "${processLimit}": ` +
        'new clients may experience noticeable delays',
    )
    log.warning(
      'to avoid this condition, increase the process count in master.cf or reduce the service time per client',
    )
    log.warning(
      'see http://www.postfix.org/STRESS_README.html for examples of stress-adapting configuration settings',
    )
  }

  get #hasStress(): boolean {
    return hasStressOption(this.#spec.entry, this.#spec.isLoopbackOnly)
  }

  #noteStress(): void {
    if (this.#stress.rise(Date.now())) this.#replaceProcesses()
  }

  /** Closing the channel is what tells processes to leave when idle. */
  #replaceProcesses(): void {
    this.#status.close()
    this.#status = this.#openStatus()
    this.#table.retire()
  }

  #openStatus(): StatusReader {
    return new StatusReader({
      message: (message) => {
        const result = this.#table.noteStatus(message)
        if (result === 'otherGeneration') {
          log.info(
            `ignoring status update from child pid ${message.pid} generation ${message.generation}`,
          )
        } else if (result === 'unknownState') {
          log.warning(
            `master_status_event: ignoring unknown status: ${message.state} allegedly from pid: ${message.pid}`,
          )
        }
        this.#listen()
      },
      partial: (count, pid) => {
        log.warning(
          `service ${this.#spec.entry.service}(${this.#spec.fullName}): ` +
            `child (pid ${pid}) sent partial status update (${count} bytes)`,
        )
      },
    })
  }

  #clientWaits(): void {
    // two listeners of a service can be ready in one turn
    if (!this.#table.isExhausted || !this.#table.hasRoom || this.#isStarting) return
    this.#startProcess()
    this.#wakeup.serviceUsed()
  }

  #startProcess(): void {
    if (this.#hasStress && this.#table.isLastSlot) this.#noteStress()
    const { entry } = this.#spec
    const { environment, flow, nextGeneration, staysAttached } = this.#surroundings
    const generation = nextGeneration()
    const share = this.#table.nextShare()
    const path = this.#path
    const pid = startChild(
      {
        path,
        name: entry.command,
        args: childArguments(entry, {
          listenerCount: this.#watches.length,
          staysAttached,
          isVerbose: this.#surroundings.isVerbose,
          isStressed: this.#hasStress ? this.#stress.isActive(Date.now()) : undefined,
        }),
        environment: childEnvironment(environment, generation, share),
        descriptors: [
          flow[0].fd,
          flow[1].fd,
          this.#status.childFd,
          ...this.#watches.map((watch) => watch.descriptor.fd),
        ],
      },
      {
        ended: (end) => {
          if (pid !== undefined) this.#ended(pid, path, end)
        },
        failed: (reason, isFork) => {
          if (pid === undefined) this.#notStarted(reason, isFork)
        },
      },
    )
    log.debug(`spawn command ${path}; child pid ${pid ?? 'none'}; generation ${generation}`)
    if (pid === undefined)
      this.#isStarting = true // until #notStarted() says why
    else this.#table.started(pid, generation, share)
    this.#listen()
  }

  get #path(): string {
    return `${this.#surroundings.daemonDirectory}/${this.#spec.entry.command}`
  }

  #notStarted(reason: string, isFork: boolean): void {
    this.#isStarting = false
    if (isFork) log.warning(`master_spawn: fork: ${reason} -- throttling`)
    else {
      logAt('fatal', `master_spawn: exec ${this.#path}: ${reason}`)
      log.warning(`${this.#path}: bad command startup -- throttling`)
    }
    this.#startThrottle()
  }

  #ended(pid: number, path: string, end: ChildEnd): void {
    const isAbnormal = end.status !== 0
    log.debug(`process ${path} pid ${pid} has ended`)
    if (this.#isClosed) {
      // it was told to: the service is gone from master.cf
    } else if (end.signal !== undefined) {
      const number = constants.signals[end.signal]
      log.warning(`process ${path} pid ${pid} killed by signal ${number}`)
    } else if (isAbnormal) {
      log.warning(`process ${path} pid ${pid} exit status ${end.status ?? 0}`)
    }
    if (this.#table.exited(pid, isAbnormal) && !this.#isClosed && this.#throttle === undefined) {
      log.warning(`${path}: bad command startup -- throttling`)
      this.#startThrottle()
    }
    this.#listen()
  }

  #startThrottle(): void {
    if (this.#isClosed) return
    clearTimeout(this.#throttle)
    this.#throttle = setTimeout(() => {
      this.#throttle = undefined
      this.#listen()
    }, this.#surroundings.throttleSeconds * 1000)
    this.#listen()
  }

  #makeWakeup(): WakeupTimer {
    const { wakeupSeconds, isWakeupOnDemand } = this.#spec.entry
    const isUnused = isWakeupOnDemand && this.#table.size === 0
    return new WakeupTimer(wakeupSeconds, isUnused, () => {
      this.#wake()
    })
  }

  #wake(): void {
    const { entry, address, fullName } = this.#spec
    if (this.#throttle !== undefined) return
    log.debug(`waking up service ${fullName}`)
    wakeService(entry.type, address).catch((error: unknown) => {
      log.warning(
        `master_wakeup_timer_event: service ${entry.service}(${fullName}): ${errorReason(error)}`,
      )
    })
  }
}
