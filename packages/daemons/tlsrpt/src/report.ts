/**
 * report - the report of one domain: JSON as RFC 8460 4.4 wants it, and the names under which it goes out
 *
 * Results hold octets; what is no UTF-8 in them is replaced here. The report id is the same each time the report is made, so
 * that a receiver who gets it twice can tell (RFC 8460 5.3.1).
 */
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { TlsrptFailure } from '@posthorn/wire/tlsrpt-protocol'
import { formatInstant, type Period } from './period.ts'
import type { DomainResults, FailureCount, PolicyResults } from './period-results.ts'
import type { Reporter } from './tlsrpt-settings.ts'

/** Ready to be sent. */
export interface Report {
  /** The domain that it is about. */
  readonly domain: string
  /** A msg-id without its brackets (RFC 5322 3.6.4). */
  readonly id: string
  /** RFC 8460 5.1 */
  readonly fileName: string
  readonly period: Period
  readonly sessionCount: number
  readonly failureCount: number
  readonly json: string
}

function textOf(octets: string): string {
  return Buffer.from(octets, 'latin1').toString()
}

/** RFC 8460 4.4: names of the parts of a failure in a report. */
const FAILURE_PARTS = [
  ['sending-mta-ip', 'sendingMtaIp'],
  ['receiving-mx-hostname', 'receivingMxHostname'],
  ['receiving-mx-helo', 'receivingMxHelo'],
  ['receiving-ip', 'receivingIp'],
  ['additional-information', 'additionalInformation'],
  ['failure-reason-code', 'failureReasonCode'],
] as const satisfies readonly (readonly [string, keyof TlsrptFailure])[]

function failureDetails({ failure, count }: FailureCount): object {
  const parts = FAILURE_PARTS.flatMap(([name, key]) => {
    const value = failure[key]
    return value === undefined ? [] : [[name, textOf(value)] as const]
  })
  return {
    'result-type': failure.code,
    ...Object.fromEntries(parts),
    'failed-session-count': count,
  }
}

function policyReport(policy: PolicyResults): object {
  const { type, strings, mxHostPatterns, failures } = policy
  return {
    policy: {
      'policy-type': type,
      ...(strings.length > 0 && { 'policy-string': strings.map(textOf) }),
      'policy-domain': textOf(policy.domain),
      ...(mxHostPatterns.length > 0 && { 'mx-host': mxHostPatterns.map(textOf) }),
    },
    summary: {
      'total-successful-session-count': policy.successCount,
      'total-failure-session-count': policy.failureCount,
    },
    ...(failures.size > 0 && { 'failure-details': [...failures.values()].map(failureDetails) }),
  }
}

/** One report of one reporter about one domain and period; hex. */
function digestOf(reporter: Reporter, domain: string, period: Period): string {
  const { startSeconds, endSeconds } = period
  const name = [reporter.hostname, reporter.submitter, domain, startSeconds, endSeconds].join(' ')
  return createHash('sha256').update(name).digest('hex')
}

/**
 * Where in the span of delays the report has its place, from 0 to 1: by chance, but the same after a restart, so that
 * not all are sent at midnight (RFC 8460 4.1).
 */
export function placeInDelay(reporter: Reporter, domain: string, period: Period): number {
  return parseInt(digestOf(reporter, domain, period).slice(-8), 16) / 0x1_0000_0000
}

/** Cost: below 10 ms, as PERIOD_LIMITS bounds a domain. */
export function makeReport(
  reporter: Reporter,
  domain: string,
  period: Period,
  results: DomainResults,
): Report {
  const { submitter } = reporter
  const { startSeconds, endSeconds } = period
  const start = formatInstant(startSeconds)
  const digest = digestOf(reporter, domain, period).slice(0, 24)
  const id = `${start.replace(/\D/g, '')}.${digest}@${submitter}`
  const policies = [...results.policies.values()]
  const sum = (count: (policy: PolicyResults) => number): number =>
    policies.reduce((total, policy) => total + count(policy), 0)
  const json = JSON.stringify({
    'organization-name': textOf(reporter.organizationName),
    'date-range': { 'start-datetime': start, 'end-datetime': formatInstant(endSeconds - 1) },
    'contact-info': textOf(reporter.contactInfo),
    'report-id': id,
    policies: policies.map(policyReport),
  })
  return {
    ...{ domain, id, period, json },
    fileName: `${submitter}!${domain}!${startSeconds}!${endSeconds - 1}!${digest}.json.gz`,
    sessionCount: sum(({ successCount, failureCount }) => successCount + failureCount),
    failureCount: sum(({ failureCount }) => failureCount),
  }
}

/** RFC 8460 5.2: compressed, in a thread of the pool. */
export const compress: (json: string) => Promise<Buffer> = promisify(gzip)
