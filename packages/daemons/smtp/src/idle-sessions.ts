/**
 * idle-sessions - the idle connections that this process keeps for itself
 *
 * scache(8) costs some 50 us on each side for a save and a find (docs/performance.md 8); a process that serves many
 * deliveries first looks here. Labels, properties and time limits are those of scache(8), and so is the model:
 * destination label -> endpoint labels -> connections, oldest first. Unlike there, an idle connection is watched: one
 * that its server closes is gone at once, so that no probe is needed.
 * Limits: `limit` connections; `ttlMs` for each. Holds descriptors until takeAll().
 * Source: Postfix 3.7 CONNECTION_CACHE_README.
 */
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { scheduleDeadline, type Deadline } from '@posthorn/stream/deadline-timer'

export interface IdleSession {
  stream: ByteStream
  endpointLabel: string
  endpointProperties: string
  /** OWN_FEATURES: what the properties do not say, because others do not know it. */
  ownFeatures: number
  /** TLS is spoken in this process: no other one can go on with it. */
  isSecured?: boolean
}

export interface Binding {
  destinationLabel: string
  destinationProperties: string
}

interface Kept extends IdleSession {
  deadline: Deadline
}

interface KeptBinding {
  properties: string
  endpointLabel: string
  untilMs: number
}

export class IdleSessions {
  readonly #limit: number
  readonly #ttlMs: number
  readonly #endpoints = new Map<string, Kept[]>()
  readonly #destinations = new Map<string, KeptBinding[]>()
  #count = 0

  constructor(limit: number, ttlMs: number) {
    this.#limit = limit
    this.#ttlMs = ttlMs
  }

  get isFull(): boolean {
    return this.#count >= this.#limit
  }

  /** Takes ownership of the stream. Not when full. */
  keep(session: IdleSession, binding: Binding | undefined): void {
    if (binding !== undefined) this.#bind(binding, session.endpointLabel)
    const kept: Kept = {
      ...session,
      deadline: scheduleDeadline(Date.now() + this.#ttlMs, () => {
        this.#drop(kept)
      }),
    }
    const list = this.#endpoints.get(session.endpointLabel)
    if (list === undefined) this.#endpoints.set(session.endpointLabel, [kept])
    else list.push(kept)
    this.#count += 1
    session.stream.watchHangup(() => {
      this.#drop(kept)
    })
  }

  /** The stream is the caller's. */
  takeEndpoint(endpointLabel: string): IdleSession | undefined {
    const kept = this.#endpoints.get(endpointLabel)?.[0]
    if (kept === undefined) return undefined
    this.#remove(kept)
    return kept
  }

  takeDestination(
    destinationLabel: string,
  ): (IdleSession & { destinationProperties: string }) | undefined {
    for (const binding of this.#destinations.get(destinationLabel) ?? []) {
      const session = this.takeEndpoint(binding.endpointLabel)
      if (session !== undefined) return { ...session, destinationProperties: binding.properties }
    }
    return undefined
  }

  /** All of them, the caller's now; with what led to them. */
  takeAll(): { sessions: IdleSession[]; bindings: (Binding & { endpointLabel: string })[] } {
    const bindings = [...this.#destinations].flatMap(([destinationLabel, list]) =>
      list
        .filter((binding) => this.#endpoints.has(binding.endpointLabel))
        .map(({ properties, endpointLabel }) => {
          return { destinationLabel, destinationProperties: properties, endpointLabel }
        }),
    )
    const sessions = [...this.#endpoints.values()].flat()
    for (const kept of sessions) this.#remove(kept)
    this.#destinations.clear()
    return { sessions, bindings }
  }

  #bind({ destinationLabel, destinationProperties }: Binding, endpointLabel: string): void {
    const now = Date.now()
    const alive = (this.#destinations.get(destinationLabel) ?? []).filter(
      (binding) => binding.untilMs > now,
    )
    const untilMs = now + this.#ttlMs
    const same = alive.find(
      (one) => one.endpointLabel === endpointLabel && one.properties === destinationProperties,
    )
    if (same === undefined) {
      alive.push({ properties: destinationProperties, endpointLabel, untilMs })
      if (alive.length === 1) this.#forgetDestinations(now)
    } else same.untilMs = untilMs
    this.#destinations.set(destinationLabel, alive)
  }

  /** Labels whose time is over; looked for when a label is new. */
  #forgetDestinations(now: number): void {
    if (this.#destinations.size < this.#limit) return
    for (const [label, bindings] of this.#destinations) {
      if (bindings.every((binding) => binding.untilMs <= now)) this.#destinations.delete(label)
    }
  }

  #drop(kept: Kept): void {
    if (this.#remove(kept)) kept.stream.close()
  }

  #remove(kept: Kept): boolean {
    const list = this.#endpoints.get(kept.endpointLabel)
    const at = list?.indexOf(kept) ?? -1
    if (list === undefined || at < 0) return false
    if (list.length === 1) this.#endpoints.delete(kept.endpointLabel)
    else list.splice(at, 1)
    kept.deadline.cancel()
    this.#count -= 1
    return true
  }
}
