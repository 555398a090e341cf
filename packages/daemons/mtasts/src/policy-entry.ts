/**
 * policy-entry - a policy in the cache, and as a line of its file
 *
 * JSON. Times are seconds since 1970. What was damaged on the disk is no entry.
 */
import { isMxPattern, MAX_AGE_LIMIT_SECONDS, STS_MODES, type StsPolicy } from './sts-policy.ts'

export interface PolicyEntry {
  /** As the TXT record had it when the policy was fetched. */
  readonly id: string
  readonly policy: StsPolicy
  readonly fetchedSeconds: number
  /** When the domain first had a policy here. */
  readonly knownSeconds: number
  /** When somebody last asked. */
  readonly usedSeconds: number
}

export function expirySeconds({ fetchedSeconds, policy }: PolicyEntry): number {
  return fetchedSeconds + policy.maxAgeSeconds
}

export function formatEntry({ id, policy, ...times }: PolicyEntry): string {
  return JSON.stringify({ id, ...policy, ...times })
}

/** undefined for text that is no entry */
export function parseEntry(text: string): PolicyEntry | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  if (typeof value !== 'object' || value === null) return undefined
  const fields = value as Readonly<Record<string, unknown>>
  const mode = STS_MODES.find((known) => known === fields['mode'])
  const mxPatterns = fields['mxPatterns']
  const maxAgeSeconds = seconds(fields['maxAgeSeconds'])
  const fetchedSeconds = seconds(fields['fetchedSeconds'])
  const knownSeconds = seconds(fields['knownSeconds'])
  const usedSeconds = seconds(fields['usedSeconds'])
  const id = fields['id']
  if (typeof id !== 'string' || mode === undefined || !isPatternList(mxPatterns)) return undefined
  if (fetchedSeconds === undefined || knownSeconds === undefined || usedSeconds === undefined) {
    return undefined
  }
  if (maxAgeSeconds === undefined || maxAgeSeconds > MAX_AGE_LIMIT_SECONDS) return undefined
  const policy = { mode, mxPatterns, maxAgeSeconds }
  return { id, policy, fetchedSeconds, knownSeconds, usedSeconds }
}

function seconds(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : undefined
}

function isPatternList(value: unknown): value is string[] {
  const isText = (item: unknown): boolean => typeof item === 'string' && isMxPattern(item)
  return Array.isArray(value) && value.every(isText)
}
