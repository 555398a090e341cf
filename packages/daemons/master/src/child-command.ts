/**
 * child-command - the command line and the environment of a service process
 *
 * Source: Postfix 3.7 master(8). POSTHORN_SHARE is ours: how many clients the process may serve at once,
 * if it is one that can; others ignore it.
 */
import { basename } from 'node:path'
import type { MasterEntry } from '@posthorn/config/master-config'

export interface ChildSituation {
  /** Sockets that the process inherits from descriptor 6 on. */
  readonly listenerCount: number
  /** master runs with -d. */
  readonly staysAttached: boolean
  readonly isVerbose: boolean
  /** undefined: the service has no stress option. */
  readonly isStressed: boolean | undefined
}

/** Only a service that strangers can reach is told about stress, and only when it can have more than one process. */
export function hasStressOption(entry: MasterEntry, isLoopbackOnly: boolean): boolean {
  const isExposed = (entry.type === 'inet' && !isLoopbackOnly) || entry.type === 'pass'
  return isExposed && entry.processLimit > 1
}

/** Without argv[0], which is the command as written in master.cf. */
export function childArguments(entry: MasterEntry, situation: ChildSituation): string[] {
  const args: string[] = []
  if (entry.processLimit === 1) args.push('-l')
  if (entry.processLimit === 0) args.push('-z')
  if (entry.service !== basename(entry.command)) args.push('-n', entry.service)
  args.push('-t', entry.type)
  if (situation.staysAttached) args.push('-d')
  if (situation.isVerbose) args.push('-v')
  if (entry.isUnprivileged) args.push('-u')
  if (entry.isChrooted) args.push('-c')
  if (situation.isStressed !== undefined) {
    args.push('-o', situation.isStressed ? 'stress=yes' : 'stress=')
  }
  if (situation.listenerCount > 1) args.push('-s', String(situation.listenerCount))
  return [...args, ...entry.args]
}

export function childEnvironment(
  inherited: Readonly<Record<string, string>>,
  generation: number,
  share: number,
): Record<string, string> {
  return {
    ...inherited,
    GENERATION: generation.toString(8),
    POSTHORN_SHARE: String(share),
  }
}
