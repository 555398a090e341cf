/**
 * master-options - the command line of master(8)
 *
 * Source: Postfix 3.7 master(8).
 */
import { parseOptions } from '@posthorn/config/getopt'

export interface MasterOptions {
  /** -c: also exported as MAIL_CONFIG. */
  readonly configDirectory: string | undefined
  /** -d: keeps the terminal and standard descriptors, for children too. */
  readonly staysAttached: boolean
  /** -e: ends after that time; undefined = never. */
  readonly exitSeconds: number | undefined
  /** -D: debugger_command is run before anything starts. */
  readonly isDebugged: boolean
  /** -i: runs as process 1, which is no group leader and keeps standard output. */
  readonly isInit: boolean
  /** -s: keeps standard output. */
  readonly keepsOutput: boolean
  /** -t: only tells whether a master holds the lock. */
  readonly isTest: boolean
  readonly isVerbose: boolean
  /** -w: returns when the real master, in the background, is ready. */
  readonly waits: boolean
}

/** The command line is not one of master's; the message is the usage line. */
export class UsageError extends SyntaxError {
  readonly code = 'POSTHORN_USAGE'
}

const USAGE =
  'usage: master [-c config_dir] [-D (debug)] [-d (do not detach from terminal)] [-e exit_time] [-i (init)] ' +
  '[-s (keep stdout)] [-t (test)] [-v] [-w (wait for initialization)]'

/** @throws {UsageError} */
export function parseMasterOptions(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
  pid = process.pid,
): MasterOptions {
  const values = new Map<string, string>()
  try {
    const { options, operands } = parseOptions(argv, 'c:Dde:istvw')
    if (operands.length > 0) throw new UsageError(USAGE)
    for (const { letter, value } of options) values.set(letter, value)
  } catch (error) {
    throw new UsageError(USAGE, { cause: error })
  }
  const exitTime = values.get('e')
  if (exitTime !== undefined && !/^\d{1,9}$/.test(exitTime)) throw new UsageError(USAGE)
  const has = (letter: string): boolean => values.has(letter)
  if (has('i') && pid !== 1) throw new UsageError('-i is allowed only for PID 1 process')
  if (has('i') && (has('D') || has('d') || has('w'))) throw new UsageError(USAGE)
  if (has('t') && has('w')) throw new UsageError('the -t and -w options cannot be used together')
  return {
    configDirectory: values.get('c'),
    staysAttached: has('d'),
    exitSeconds: exitTime === undefined ? undefined : Number(exitTime),
    isDebugged: has('D') || environment['MAIL_DEBUG'] !== undefined,
    isInit: has('i'),
    keepsOutput: has('s') || has('i'),
    isTest: has('t'),
    isVerbose: has('v') || environment['MAIL_VERBOSE'] !== undefined,
    waits: has('w'),
  }
}
