/**
 * queue-layout - where in the queue directory a file lies
 *
 * The queue directory is the working directory of every daemon, so paths are relative to it.
 * Queues named in hash_queue_names spread their files over one-character subdirectories:
 *
 *   deferred/9/9EE46214009      hash_queue_depth 1
 *
 * Source: Postfix 3.7 hash_queue_names, hash_queue_depth, enable_long_queue_ids in postconf(5).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { QueueNameError } from './queue-error.ts'
import { hashKey } from './queue-id.ts'

/** Directories that hold messages. `saved` is only ever filled by hand. */
export const MESSAGE_QUEUES = [
  'maildrop',
  'incoming',
  'active',
  'deferred',
  'hold',
  'corrupt',
  'saved',
] as const
/** Directories that hold text about messages, one file per queue id. */
export const MESSAGE_LOGS = ['bounce', 'defer', 'trace'] as const

export type MessageQueue = (typeof MESSAGE_QUEUES)[number]
export type MessageLogName = (typeof MESSAGE_LOGS)[number]
export type QueueName = MessageQueue | MessageLogName | 'flush'

const ALL_NAMES: ReadonlySet<string> = new Set([...MESSAGE_QUEUES, ...MESSAGE_LOGS, 'flush'])

function isQueueName(text: string): text is QueueName {
  return ALL_NAMES.has(text)
}

/** @throws {QueueNameError} none of the directories above */
export function parseQueueName(text: string): QueueName {
  if (!isQueueName(text)) {
    throw new QueueNameError(`Cannot parse queue name "${text.slice(0, 100)}"`)
  }
  return text
}

export interface QueueLayoutOptions {
  /** Names of hashed directories; case does not matter. */
  readonly hashedQueues?: readonly string[]
  readonly hashDepth?: number
  readonly longIds?: boolean
}

export class QueueLayout {
  readonly hashDepth: number
  /** New queue ids are long ones. */
  readonly longIds: boolean
  readonly #hashed: ReadonlySet<string>

  constructor(options: QueueLayoutOptions = {}) {
    this.hashDepth = options.hashDepth ?? 1
    this.longIds = options.longIds ?? false
    const names = options.hashedQueues ?? ['deferred', 'defer']
    this.#hashed = new Set(names.map((name) => name.toLowerCase()))
  }

  static fromConfig(config: MainConfig): QueueLayout {
    return new QueueLayout({
      hashedQueues: config.list('hash_queue_names'),
      hashDepth: config.integer('hash_queue_depth'),
      longIds: config.boolean('enable_long_queue_ids'),
    })
  }

  /** How many levels of subdirectories a queue has; 0 = all files lie in the queue itself. */
  depth(queue: string): number {
    return this.#hashed.has(queue.toLowerCase()) ? this.hashDepth : 0
  }

  /** The directory, with a slash at its end, in which a file of this name belongs. */
  directory(queue: string, name: string): string {
    const depth = this.depth(queue)
    let path = `${queue}/`
    if (depth === 0) return path
    const key = hashKey(name)
    for (let level = 0; level < depth; level += 1) path += `${key.charAt(level) || '_'}/`
    return path
  }

  /** `name` is a queue id, or the mangled destination that names a flush log. */
  path(queue: string, name: string): string {
    return this.directory(queue, name) + name
  }
}
