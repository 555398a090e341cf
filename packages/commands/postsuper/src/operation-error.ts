/**
 * operation-error - a step on the queue failed in a way that makes going on pointless
 */
import { errorReason } from '@posthorn/native/system-error'

/** The message is that of the fatal log line. */
export class OperationError extends Error {
  readonly code = 'POSTHORN_OPERATION'
}

/** Runs a step; its failure names what was tried: `remove file hold/X: Permission denied`. */
export function attempt<T>(what: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw new OperationError(`${what}: ${errorReason(error)}`, { cause: error })
  }
}
