/**
 * trigger-server - reads triggers: services of kind trigger
 *
 * A trigger is a few octets on a connection of its own, or in a FIFO; there is no reply. Read once, at most
 * 1024 octets, then closed. One at a time: while a trigger is being worked on, the next ones wait in the
 * kernel. A service with a process limit of 1 tells master(8) of its first trigger only: nobody could be
 * started beside it. Source: Postfix 3.7.
 */
import { Acceptor } from '@posthorn/native/socket'
import { READABLE, type Descriptor } from '@posthorn/native/descriptor'
import { ByteStream, StreamTimeoutError } from '@posthorn/stream/byte-stream'
import { log } from '@posthorn/log/log'
import { errorText } from './error-text.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { SelectLock } from './select-lock.ts'
import type { Service } from './service.ts'
import type { StatusChannel } from './status-channel.ts'

const TRIGGER_LIMIT = 1024
const READ_TIMEOUT_MS = 10_000

export interface TriggerServerOptions {
  service: Service
  listeners: readonly Descriptor[]
  transport: 'unix' | 'fifo'
  isAlone: boolean
  lifecycle: Lifecycle
  status: StatusChannel | undefined
  selectLock: SelectLock
}

async function readTrigger(client: Descriptor): Promise<string> {
  const stream = new ByteStream(client, { timeoutMs: READ_TIMEOUT_MS })
  try {
    if (stream.buffered === '') await stream.fill()
    return stream.buffered.slice(0, TRIGGER_LIMIT)
  } catch (error) {
    if (error instanceof StreamTimeoutError) return ''
    throw error
  } finally {
    stream.close()
  }
}

export class TriggerServer {
  readonly #options: TriggerServerOptions
  readonly #acceptors: readonly Acceptor[]
  #isBusy = false
  #hasWorked = false
  /** Came while another was being worked on: accepted in the same turn, or left in the FIFO. */
  readonly #waiting: Descriptor[] = []

  constructor(options: TriggerServerOptions) {
    this.#options = options
    this.#acceptors =
      options.transport === 'fifo'
        ? []
        : options.listeners.map(
            (listener) =>
              new Acceptor(listener, (client) => {
                this.#accepted(client)
              }),
          )
  }

  start(): void {
    this.#options.lifecycle.begin(() => {
      this.#pause()
    })
    if (this.#options.transport === 'fifo') {
      for (const fifo of this.#options.listeners) {
        fifo.watch((ready) => {
          if ((ready & READABLE) !== 0) this.#fifoReady(fifo)
        })
      }
    }
    this.#listen()
  }

  #pause(): void {
    for (const acceptor of this.#acceptors) acceptor.pause()
    this.#options.selectLock.release()
  }

  #listen(): void {
    const resume = async (): Promise<void> => {
      await this.#options.selectLock.take()
      if (this.#options.lifecycle.isLeaving) return
      for (const acceptor of this.#acceptors) acceptor.resume()
    }
    resume().catch((error: unknown) => {
      log.warning(`cannot wait for triggers: ${errorText(error)}`)
      this.#options.lifecycle.leave('no select lock -- exiting')
    })
  }

  #accepted(client: Descriptor): void {
    if (this.#isBusy) this.#waiting.push(client)
    else this.#work(async () => readTrigger(client))
  }

  /** The FIFO is open for writing in master too: it never ends, and is drained at each wake-up. */
  #fifoReady(fifo: Descriptor): void {
    if (this.#isBusy || this.#options.lifecycle.isLeaving) return
    const octets = fifo.readText(TRIGGER_LIMIT)
    if (octets === undefined || octets === '') return
    this.#work(
      async () => Promise.resolve(octets),
      () => {
        this.#fifoReady(fifo)
      },
    )
  }

  #work(read: () => Promise<string>, next?: () => void): void {
    const { lifecycle, service, status, isAlone } = this.#options
    const isTold = !isAlone || !this.#hasWorked
    this.#isBusy = true
    this.#hasWorked = true
    this.#pause()
    lifecycle.clientCame()
    if (isTold) status?.tell('taken')
    const work = async (): Promise<void> => {
      await service.trigger?.(await read())
    }
    work()
      .catch((error: unknown) => {
        log.warning(errorText(error))
      })
      .finally(() => {
        this.#isBusy = false
        const isHeard = !isTold || (status?.tell('available') ?? true)
        lifecycle.clientWent()
        if (!isHeard) lifecycle.leave('master disconnect -- exiting')
        if (lifecycle.isLeaving) return
        const waiting = this.#waiting.shift()
        if (waiting !== undefined) this.#accepted(waiting)
        else this.#listen()
        next?.()
      })
      .catch((error: unknown) => {
        throw error
      })
  }
}
