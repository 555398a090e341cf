/**
 * lifecycle - when a service process leaves
 *
 * It leaves voluntarily, with exit status 0, after max_use clients, after max_idle without one, when its
 * retirement time has come, when master(8) goes or reloads, and for reasons of its own. It first stops
 * accepting and finishes the clients it has.
 * multi services: their clients keep connections open between requests, so after a short grace the process
 * leaves all the same; such clients reconnect by protocol. Source: Postfix 3.7.
 */
import { flushLog, log } from '@posthorn/log/log'

export interface LifecycleLimits {
  /** Clients before leaving; 0 = no limit. */
  uses: number
  /** Without a client before leaving; 0 = no limit. */
  idleMs: number
  /** Age at which to leave; 0 = no limit. */
  retireMs: number
  /** How long clients may keep a leaving process; 0 = until they have finished. */
  graceMs: number
}

export class Lifecycle {
  readonly #limits: LifecycleLimits
  readonly #stopped: () => void | Promise<void>
  #stopAccepting: () => void = () => undefined
  #busy = 0
  #uses = 0
  #idleSinceMs = Date.now()
  #isLeaving = false
  #hasLeft = false

  /** `stopped` runs before the exit: the service's last words. */
  constructor(limits: LifecycleLimits, stopped: () => void | Promise<void>) {
    this.#limits = limits
    this.#stopped = stopped
  }

  get isLeaving(): boolean {
    return this.#isLeaving
  }

  get busy(): number {
    return this.#busy
  }

  /** Starts the clocks; `stopAccepting` is called once, when the process begins to leave. */
  begin(stopAccepting: () => void): void {
    this.#stopAccepting = stopAccepting
    this.#idleSinceMs = Date.now()
    const { idleMs, retireMs } = this.#limits
    if (idleMs > 0) this.#armIdle(idleMs)
    else setInterval(() => undefined, 2 ** 31 - 1) // a service without clients still waits for the next
    if (retireMs > 0) {
      setTimeout(() => {
        this.leave('retirement time has come -- exiting')
      }, retireMs).unref()
    }
  }

  /** One timer for all clients: at its end it looks how long the process has really been idle. */
  #armIdle(afterMs: number): void {
    setTimeout(() => {
      const restMs =
        this.#busy > 0 ? this.#limits.idleMs : this.#idleSinceMs + this.#limits.idleMs - Date.now()
      if (restMs > 0) this.#armIdle(restMs)
      else this.leave('idle timeout -- exiting')
    }, afterMs)
  }

  clientCame(): void {
    this.#busy++
  }

  clientWent(): void {
    this.#busy--
    this.#uses++
    if (this.#busy === 0) {
      this.#idleSinceMs = Date.now()
      if (this.#isLeaving) this.#exit()
    }
    const isUsedUp = this.#limits.uses > 0 && this.#uses >= this.#limits.uses
    // a multi service waits for a moment without clients: leaving would cut their connections
    if (isUsedUp && (this.#busy === 0 || this.#limits.graceMs === 0)) {
      this.leave('use limit -- exiting')
    }
  }

  /** Returns at once; the process ends when its clients have finished. */
  leave(reason: string): void {
    if (this.#isLeaving) return
    this.#isLeaving = true
    log.debug(reason)
    this.#stopAccepting()
    if (this.#busy === 0) {
      this.#exit()
    } else if (this.#limits.graceMs > 0) {
      setTimeout(() => {
        this.#exit()
      }, this.#limits.graceMs)
    }
  }

  #exit(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    const finish = async (): Promise<never> => {
      await this.#stopped()
      flushLog()
      // eslint-disable-next-line n/no-process-exit -- the voluntary end of every service process
      process.exit(0)
    }
    finish().catch((error: unknown) => {
      throw error
    })
  }
}
