/**
 * reply-mutations - what can be wrong with the octets of a reply
 */
import type { Random } from './random.ts'

type Mutation = (octets: string, random: Random) => string

const LONG_OCTETS = [600, 600, 2100, 2100, 2100, 5000, 5000, 70_000]
/** More than any reply may have; rare, because it takes long. */
const ENDLESS_OCTETS = 1_200_000
const ENDLESS_CHANCE = 0.01

function splice(octets: string, at: number, count: number, replacement: string): string {
  return octets.slice(0, at) + replacement + octets.slice(at + count)
}

function lines(octets: string): string[] {
  return octets.match(/[^\n]*\n|[^\n]+$/g) ?? []
}

function atLine(change: (all: string[], at: number, random: Random) => void): Mutation {
  return (octets, random) => {
    const all = lines(octets)
    if (all.length > 0) change(all, random.below(all.length), random)
    return all.join('')
  }
}

const MUTATIONS: readonly Mutation[] = [
  // an octet becomes another, or one bit of it does
  (octets, random) => splice(octets, random.below(octets.length), 1, random.octet()),
  (octets, random) => {
    const at = random.below(octets.length)
    const flipped = (octets.charCodeAt(at) || 0) ^ (1 << random.below(8))
    return splice(octets, at, 1, String.fromCharCode(flipped))
  },
  // some come, some go
  (octets, random) => splice(octets, random.below(octets.length + 1), 0, random.octet()),
  (octets, random) =>
    splice(
      octets,
      random.below(octets.length + 1),
      0,
      random.pick(['\0', '\r', '\n', '\r\n', '\x7f', '\xff', '\x1b[2J', '\xc3', '.\r\n']),
    ),
  (octets, random) => splice(octets, random.below(octets.length), 1 + random.below(6), ''),
  (octets, random) => octets.slice(0, random.below(octets.length)),
  // lines
  atLine((all, at) => all.splice(at, 0, all[at] ?? '')),
  atLine((all, at) => all.splice(at, 1)),
  atLine((all, at, random) => {
    const other = random.below(all.length)
    const [one = '', two = ''] = [all[at], all[other]]
    all[at] = two
    all[other] = one
  }),
  // the code, and what follows it
  atLine((all, at, random) => {
    all[at] = splice(all[at] ?? '', random.below(3), 1, String(random.below(10)))
  }),
  atLine((all, at, random) => {
    all[at] = splice(
      all[at] ?? '',
      0,
      3,
      String(random.pick([199, 200, 250, 299, 300, 354, 399, 400, 421, 499, 500, 554, 599])),
    )
  }),
  atLine((all, at, random) => {
    all[at] = splice(all[at] ?? '', 3, 1, random.pick(['-', ' ', '', '\t', '--', '=']))
  }),
  // line ends
  (octets) => octets.replaceAll('\r\n', '\n'),
  (octets) => octets.replaceAll('\r\n', '\r'),
  (octets) => octets.replaceAll('\r\n', '\n\r'),
  (octets) => octets.replaceAll('\r\n', '\r\r\n'),
  (octets) => octets.replaceAll('\r\n', ''),
  // too much
  (octets, random) => {
    const count = random.chance(ENDLESS_CHANCE) ? ENDLESS_OCTETS : random.pick(LONG_OCTETS)
    return splice(
      octets,
      random.below(octets.length + 1),
      0,
      random.pick(['x', '\xe9', ' ', '5']).repeat(count),
    )
  },
  (octets, random) => {
    const line = `${octets.slice(0, 3) || '250'}-${'y'.repeat(random.below(80))}\r\n`
    return line.repeat(1 + random.below(60)) + octets
  },
  (octets, random) => 'no reply\r\n'.repeat(1 + random.below(50)) + octets,
]

export function mutate(octets: string, random: Random): string {
  return random.pick(MUTATIONS)(octets, random)
}
