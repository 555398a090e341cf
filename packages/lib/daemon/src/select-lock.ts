/**
 * select-lock - lets one process of a service at a time wait for clients
 *
 * Processes that serve one client each would all wake up for every connection. Postfix's daemons take an
 * exclusive lock on pid/TYPE.SERVICE before they wait and give it back as soon as they have accepted.
 * Not used with a process limit of 1, nor by processes that serve many. Source: Postfix 3.7.
 */
import { openSync } from 'node:fs'
import { unlock, waitLock } from '@posthorn/native/lock'

export interface SelectLock {
  /** Resolves when this process may wait for clients. */
  take: () => Promise<void>
  release: () => void
}

/** The lock of a service; the working directory is the queue directory, and the jail is not yet closed. */
export function openSelectLock(transport: string, serviceName: string): SelectLock {
  // eslint-disable-next-line n/no-sync -- once, at start
  const fd = openSync(`pid/${transport}.${serviceName}`, 'a', 0o600)
  let isHeld = false
  return {
    take: async () => {
      if (isHeld) return
      await waitLock(fd, 'exclusive')
      isHeld = true
    },
    release: () => {
      if (!isHeld) return
      isHeld = false
      unlock(fd)
    },
  }
}

/** For processes that need none. */
export const noSelectLock: SelectLock = {
  take: async () => Promise.resolve(),
  release: () => undefined,
}
