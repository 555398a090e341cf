/**
 * postqueue-options - the command line of postqueue(1)
 */
import { OptionError, parseOptions } from '@posthorn/config/getopt'

export const USAGE =
  'usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | postqueue -s site'

export type PostqueueTask =
  | { readonly kind: 'flush' }
  | { readonly kind: 'flushMessage'; readonly id: string }
  | { readonly kind: 'flushSite'; readonly site: string }
  | { readonly kind: 'table' }
  | { readonly kind: 'json' }

export interface PostqueueOptions {
  readonly configDirectory: string | undefined
  readonly isVerbose: boolean
  readonly task: PostqueueTask
}

/** @throws {OptionError} its message is empty when only the usage is to be said */
export function parsePostqueueOptions(argv: readonly string[]): PostqueueOptions {
  const { options, operands } = parseOptions(argv, 'c:fi:jps:v')
  const tasks: PostqueueTask[] = []
  for (const { letter, value } of options) {
    if (letter === 'f') tasks.push({ kind: 'flush' })
    else if (letter === 'i') tasks.push({ kind: 'flushMessage', id: value })
    else if (letter === 's') tasks.push({ kind: 'flushSite', site: value })
    else if (letter === 'p') tasks.push({ kind: 'table' })
    else if (letter === 'j') tasks.push({ kind: 'json' })
  }
  const [task] = tasks
  if (task === undefined || tasks.length > 1 || operands.length > 0) throw new OptionError('')
  return {
    configDirectory: options.findLast(({ letter }) => letter === 'c')?.value,
    isVerbose: options.some(({ letter }) => letter === 'v'),
    task,
  }
}
