/**
 * compatibility-level - `major.minor.patch` as one number that compares
 *
 * Source: Postfix 3.7 postconf(5), compatibility_level.
 */
const PART_LIMIT = 1024
/** The major part must fit a signed 64-bit number beside two parts of ten bits. */
const MAJOR_LIMIT = 2 ** 43

/** undefined for malformed text. Missing parts are 0; minor and patch go to 1023. */
export function parseCompatibilityLevel(text: string): number | undefined {
  const match = /^(\d+)(?:\.(\d+)(?:\.(\d+))?)?$/.exec(text)
  if (!match) return undefined
  const major = Number(match[1])
  const minor = Number(match[2] ?? 0)
  const patch = Number(match[3] ?? 0)
  if (major >= MAJOR_LIMIT || minor >= PART_LIMIT || patch >= PART_LIMIT) return undefined
  return (major * PART_LIMIT + minor) * PART_LIMIT + patch
}
