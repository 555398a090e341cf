/**
 * getopt - the command line of programs, as getopt(3) reads it
 *
 * Options are single letters, may be clustered (`-vq`), and end at `--` or at the first word that is
 * none. The specification is that of getopt(3): a letter with a colon takes a value, which follows in
 * the same word or is the next one.
 */

export interface GivenOption {
  readonly letter: string
  /** '' for an option without one. */
  readonly value: string
}

export interface CommandLine {
  /** In the order given. */
  readonly options: readonly GivenOption[]
  readonly operands: readonly string[]
}

/** What getopt(3) itself prints: `invalid option -- 'z'`, `option requires an argument -- 'c'`. */
export class OptionError extends SyntaxError {
  readonly code = 'POSTHORN_USAGE'
}

/**
 * @param argv the words behind the program's name
 * @param specification `bc:v`: b and v are flags, c takes a value
 * @throws {OptionError}
 */
export function parseOptions(argv: readonly string[], specification: string): CommandLine {
  const options: GivenOption[] = []
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? ''
    if (word === '--') return { options, operands: argv.slice(at + 1) }
    if (!/^-[^]/.test(word)) return { options, operands: argv.slice(at) }
    for (let column = 1; column < word.length; column += 1) {
      const letter = word.charAt(column)
      const place = letter === ':' ? -1 : specification.indexOf(letter)
      if (place < 0) throw new OptionError(`invalid option -- '${letter}'`)
      if (specification.charAt(place + 1) !== ':') {
        options.push({ letter, value: '' })
        continue
      }
      const value = column + 1 < word.length ? word.slice(column + 1) : argv[(at += 1)]
      if (value === undefined) throw new OptionError(`option requires an argument -- '${letter}'`)
      options.push({ letter, value })
      break
    }
  }
  return { options, operands: [] }
}
