/**
 * postsuper-options - the command line of postsuper(1)
 */
import { parseOptions } from '@posthorn/config/getopt'

export const USAGE =
  'usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)] [-S (redundant structure fix)][-v (verbose)] [queue...]'

export type MessageAction = 'delete' | 'expire' | 'hold' | 'release' | 'requeue'

export interface ActionRequest {
  /** Done one after the other to each message. */
  readonly actions: readonly MessageAction[]
  /** A queue id, not checked; `-` = ids come from standard input; `ALL`. */
  readonly target: string
}

export interface PostsuperOptions {
  readonly configDirectory: string | undefined
  readonly isVerbose: boolean
  readonly purges: boolean
  readonly repairs: boolean
  /** Long queue ids are checked against inode numbers, too. */
  readonly repairsLongIds: boolean
  readonly requests: readonly ActionRequest[]
  /** Named directories; empty = the default ones. */
  readonly queues: readonly string[]
}

const ACTIONS: ReadonlyMap<string, readonly MessageAction[]> = new Map([
  ['d', ['delete']],
  ['e', ['expire']],
  ['f', ['expire', 'release']],
  ['h', ['hold']],
  ['H', ['release']],
  ['r', ['requeue']],
])

/** @throws {OptionError} */
export function parsePostsuperOptions(argv: readonly string[]): PostsuperOptions {
  const { options, operands } = parseOptions(argv, 'c:d:e:f:h:H:pr:sSv')
  const given = new Map(options.map(({ letter, value }) => [letter, value]))
  const requests = options.flatMap(({ letter, value }) => {
    const actions = ACTIONS.get(letter)
    return actions === undefined ? [] : [{ actions, target: value }]
  })
  const isDefault = requests.length === 0 && !['p', 's', 'S'].some((letter) => given.has(letter))
  return {
    configDirectory: given.get('c'),
    isVerbose: given.has('v'),
    purges: isDefault || given.has('p'),
    repairs: isDefault || given.has('s') || given.has('S'),
    repairsLongIds: given.has('S'),
    requests,
    queues: operands,
  }
}
