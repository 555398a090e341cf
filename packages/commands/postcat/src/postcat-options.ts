/**
 * postcat-options - the command line of postcat(1)
 */
import { parseOptions } from '@posthorn/config/getopt'
import type { PrintOptions } from './print-queue-file.ts'

export interface PostcatOptions extends PrintOptions {
  readonly configDirectory: string | undefined
  /** Operands are queue ids. */
  readonly wantsQueue: boolean
  readonly operands: readonly string[]
}

export const USAGE =
  'usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] [-e (envelope records)] [-h (header text)] [-q (access queue)] [-v] [file(s)...]'

/** @throws {OptionError} as getopt(3) complains; {RangeError} -s wants an offset */
export function parsePostcatOptions(argv: readonly string[]): PostcatOptions {
  const { options, operands } = parseOptions(argv, 'bc:dehoqrs:v')
  const given = new Map(options.map(({ letter, value }) => [letter, value]))
  const showsAll = !['b', 'e', 'h'].some((letter) => given.has(letter))
  const start = given.get('s') ?? '0'
  if (!/^\d{1,15}$/.test(start)) throw new RangeError(`bad offset: ${start}`)
  return {
    configDirectory: given.get('c'),
    wantsQueue: given.has('q'),
    operands,
    showsEnvelope: showsAll || given.has('e'),
    showsHeader: showsAll || given.has('h'),
    showsBody: showsAll || given.has('b'),
    showsOffset: given.has('o'),
    showsType: given.has('d'),
    isVerbose: given.has('v'),
    isRaw: given.has('r'),
    startOffset: Number(start),
  }
}
