/**
 * postmap-options - the command line of postmap(1) and postalias(1)
 */
import { parseOptions } from '@posthorn/config/getopt'

export interface PostmapOptions {
  readonly configDirectory: string | undefined
  readonly isVerbose: boolean
  readonly task:
    | { readonly kind: 'create' }
    | { readonly kind: 'list' }
    /** `-` = keys come from standard input. */
    | { readonly kind: 'query'; readonly key: string }
  /** -f takes it away. */
  readonly foldsCase: boolean
  /** -F: values are the contents of files, in base64; in text, their names. */
  readonly valuesAreFiles: boolean
  /** -N: keys and values with a NUL behind them. */
  readonly endsWithNul: boolean
  readonly duplicates: 'warn' | 'ignore' | 'replace'
  /** -p: mode 0644 whatever the source has. */
  readonly hasOwnMode: boolean
  /** -o: root stays the owner. */
  readonly keepsOwner: boolean
  /** `type:name` */
  readonly tables: readonly string[]
}

/** What we cannot do is refused, and not silently done in another way. */
export class PostmapUsageError extends SyntaxError {
  readonly code = 'POSTHORN_POSTMAP_USAGE'
}

const UNSUPPORTED: Readonly<Record<string, string>> = {
  b: 'querying with the lines of a message',
  d: 'removing entries (no table type that we write can be changed: write it anew)',
  h: 'querying with the headers of a message',
  i: 'adding entries (no table type that we write can be changed: write it anew)',
  m: 'querying with the parts of a message',
}

/** @throws {OptionError | PostmapUsageError} */
export function parsePostmapOptions(argv: readonly string[], letters: string): PostmapOptions {
  const { options, operands } = parseOptions(argv, letters)
  const given = new Map(options.map(({ letter, value }) => [letter, value]))
  if (['d', 'q', 's'].filter((letter) => given.has(letter)).length > 1) {
    throw new PostmapUsageError('specify only one of -s or -q or -d')
  }
  for (const [letter, what] of Object.entries(UNSUPPORTED)) {
    if (given.has(letter)) throw new PostmapUsageError(`-${letter} is not supported: ${what}`)
  }
  const key = given.get('q')
  return {
    configDirectory: given.get('c'),
    isVerbose: given.has('v'),
    task: key !== undefined ? { kind: 'query', key } : { kind: given.has('s') ? 'list' : 'create' },
    foldsCase: !given.has('f'),
    valuesAreFiles: given.has('F'),
    endsWithNul: given.has('N'),
    duplicates: given.has('r') ? 'replace' : given.has('w') ? 'ignore' : 'warn',
    hasOwnMode: given.has('p'),
    keepsOwner: given.has('o'),
    tables: operands,
  }
}
