/**
 * report-message - the mail that carries a report
 *
 * multipart/report with a line for people and the compressed report. It has no signature yet: RFC 8460 3 wants DKIM, which a
 * Milter or a content filter puts on. `TLS-Required: No`, because a report must arrive where TLS does not work (RFC 8460 5.3,
 * RFC 8689 5).
 * Source: RFC 8460 5.1 and 5.3, RFC 6522, RFC 3834 (Auto-Submitted).
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import { formatMailDate } from '@posthorn/message/mail-date'
import { formatInstant } from './period.ts'
import type { Report } from './report.ts'
import type { Reporter } from './tlsrpt-settings.ts'

/** Of base64, RFC 2045 6.8. */
const COLUMNS = 76

export interface ReportMessage {
  readonly reporter: Reporter
  readonly report: Report
  /** The report, compressed. */
  readonly octets: Buffer
  /** Internal form. */
  readonly recipient: string
  readonly dateMs: number
}

function foldBase64(octets: Buffer): string[] {
  return octets.toString('base64').match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? []
}

/** Header and content, line by line, without Received:. */
export function formatReportMessage(message: ReportMessage): string[] {
  const { reporter, report, octets, recipient, dateMs } = message
  const { submitter } = reporter
  const { startSeconds, endSeconds } = report.period
  // never in base64, nor in what we write beside it
  const boundary = `=_${report.id.replace(/@.*$/, '')}_=`
  const span = `${formatInstant(startSeconds)} to ${formatInstant(endSeconds - 1)}`
  return [
    `Date: ${formatMailDate(dateMs)}`,
    `From: TLS reports <${quoteAddress(reporter.sender)}>`,
    `To: ${quoteAddress(recipient)}`,
    `Subject: Report Domain: ${report.domain}`,
    ` Submitter: ${submitter}`,
    ` Report-ID: <${report.id}>`,
    `TLS-Report-Domain: ${report.domain}`,
    `TLS-Report-Submitter: ${submitter}`,
    'TLS-Required: No',
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type="tlsrpt";',
    ` boundary="${boundary}"`,
    'Content-Language: en',
    '',
    'This is a report in MIME format.',
    '',
    `--${boundary}`,
    'Content-Type: text/plain; charset=us-ascii',
    '',
    `This is an aggregate TLS report from ${submitter}`,
    `about SMTP sessions with servers of ${report.domain}`,
    `from ${span}: ${report.sessionCount}, of which ${report.failureCount} failed.`,
    '',
    `--${boundary}`,
    'Content-Type: application/tlsrpt+gzip',
    'Content-Transfer-Encoding: base64',
    'Content-Disposition: attachment;',
    ` filename="${report.fileName}"`,
    '',
    ...foldBase64(octets),
    '',
    `--${boundary}--`,
  ]
}
