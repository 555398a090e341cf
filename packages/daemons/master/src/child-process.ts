/**
 * child-process - starts one process of a service
 *
 * Descriptors: 0 to 2 as master has them (/dev/null, unless it was told to keep some), 3 and 4 the flow-control pipe, 5 the status channel, 6 and on the listeners; nothing else is
 * inherited, for everything that master opens is close-on-exec. The process keeps master's user, group and working
 * directory; it gives up what its command line tells it to. Source: Postfix 3.7 master(8).
 */
import { spawn, type StdioOptions } from 'node:child_process'
import { errorCode, errorReason } from '@posthorn/native/system-error'

export interface ChildPlan {
  /** Absolute. */
  readonly path: string
  /** As written in master.cf. */
  readonly name: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** From 3 on. */
  readonly descriptors: readonly number[]
}

export interface ChildEnd {
  /** undefined when a signal ended it. */
  readonly status: number | undefined
  readonly signal: NodeJS.Signals | undefined
}

export interface ChildHandlers {
  /** Once, for a process that was started. */
  ended: (end: ChildEnd) => void
  /** Once, and later, when none was. `isFork`: the system has no room; else the program cannot be run. */
  failed: (reason: string, isFork: boolean) => void
}

const NO_ROOM = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'])

/** The process id; undefined: it could not be started, and the handler will hear why. */
export function startChild(plan: ChildPlan, handlers: ChildHandlers): number | undefined {
  const stdio: StdioOptions = ['inherit', 'inherit', 'inherit', ...plan.descriptors]
  const fail = (error: unknown): void => {
    handlers.failed(errorReason(error), NO_ROOM.has(errorCode(error) ?? ''))
  }
  try {
    const child = spawn(plan.path, plan.args, {
      argv0: plan.name,
      env: plan.environment,
      stdio,
    })
    child.on('error', fail)
    child.on('exit', (status, signal) => {
      handlers.ended({ status: status ?? undefined, signal: signal ?? undefined })
    })
    return child.pid
  } catch (error) {
    setImmediate(fail, error)
    return undefined
  }
}
