/**
 * poller - who is woken when a descriptor becomes ready
 *
 * The addon reports (token, readiness) pairs, all of one wake-up in one call. A token belongs to one registration and is
 * not used again, so an event that was on its way when its descriptor was closed wakes nobody, even when the number
 * was opened again meanwhile.
 *
 * Source: epoll(7).
 */
import { native } from './load.ts'
import { checked } from './system-error.ts'

export const READABLE = 1
export const WRITABLE = 2
/** The peer ended its side, or the connection failed; comes with READABLE. */
export const HANGUP = 4

/** How the addon registers a descriptor; the numbers are those of epoll.c. */
export const WATCH_INPUT = 0
export const WATCH_BOTH = 1
export const WATCH_LISTENER = 2
export const WATCH_LEVEL = 3

const events = new Int32Array(512)
const wakers = new Map<number, (ready: number) => void>()
let lastToken = 0

function rethrow(error: unknown): never {
  throw error
}

/** Runs inside one callback of the event loop: promise jobs follow when all are woken. */
function dispatch(count: number): void {
  for (let i = 0; i < count; i++) {
    const wake = wakers.get(events[2 * i] ?? 0)
    if (wake === undefined) continue
    try {
      wake(events[2 * i + 1] ?? 0)
    } catch (error) {
      // an edge is reported once: the others must have theirs before this becomes an uncaught exception
      process.nextTick(rethrow, error)
    }
  }
}

native.setDispatcher(events, dispatch)

function nextToken(): number {
  do lastToken = lastToken === 0x7fffffff ? 1 : lastToken + 1
  while (wakers.has(lastToken))
  return lastToken
}

/** Registers a descriptor and gives the token of this registration. @throws {SystemError} EPERM for plain files */
export function startWatching(fd: number, kind: number, wake: (ready: number) => void): number {
  const token = nextToken()
  checked(native.watch(fd, token, kind))
  wakers.set(token, wake)
  return token
}

/** Changes what is watched; what is ready at this moment is reported again. */
export function changeWatching(fd: number, token: number, kind: number): void {
  checked(native.rewatch(fd, token, kind))
}

/** Before the descriptor is closed or given away: closing alone does not end a registration that others share. */
export function stopWatching(fd: number, token: number): void {
  if (wakers.delete(token)) native.unwatch(fd)
}
