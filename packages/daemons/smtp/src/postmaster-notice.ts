/**
 * postmaster-notice - mail to the postmaster about a server that does not speak SMTP, with the transcript of the session
 *
 * Only where notify_classes asks for it, and never about mail that is a notice itself. A notice that cannot be queued is warned
 * about and forgotten: the mail itself does not wait for it.
 * Source: Postfix 3.7 postconf(5), notify_classes.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { formatMailDate } from '@posthorn/message/mail-date'
import { formatLocalReceived } from '@posthorn/message/received'
import { errorReason } from '@posthorn/native/system-error'
import { beginInternalMail, END_OF_INTERNAL_MAIL } from '@posthorn/queue/internal-mail'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { CLEANUP_FLAGS, openCleanup } from '@posthorn/wire/cleanup-protocol'
import type { Protocol } from './client-options.ts'
import type { Session, SessionTrouble } from './session.ts'

const COLUMNS = 78
const INDENT = '    '

export class PostmasterNotices {
  readonly #classes: ReadonlySet<string>
  readonly #hostname: string
  readonly #mailName: string
  readonly #recipient: string
  readonly #sender: string
  /** header_from_format */
  readonly #hasObsoleteFrom: boolean
  readonly #title: string
  readonly #cleanup: { path: string; flags: number; timeoutMs: number }

  private constructor(config: MainConfig, protocol: Protocol) {
    this.#classes = config.flags('notify_classes')
    this.#hostname = config.text('myhostname')
    this.#mailName = config.text('mail_name')
    this.#recipient = config.text('error_notice_recipient')
    this.#sender = `${config.text('double_bounce_sender')}@${this.#hostname}`
    this.#hasObsoleteFrom = config.keyword('header_from_format') === 'obsolete'
    this.#title = `${protocol.toUpperCase()} client`
    const isFiltered = config.flags('internal_mail_filter_classes').has('notify')
    this.#cleanup = {
      path: `public/${config.text('cleanup_service_name')}`,
      flags: CLEANUP_FLAGS.map | (isFiltered ? CLEANUP_FLAGS.filter | CLEANUP_FLAGS.milter : 0),
      timeoutMs: config.seconds('ipc_timeout') * 1000,
    }
  }

  /** Undefined: nobody wants any, and no transcript need be kept. */
  static fromConfig(config: MainConfig, protocol: Protocol): PostmasterNotices | undefined {
    const classes = config.flags('notify_classes')
    const wanted: readonly SessionTrouble[] = ['protocol', 'data']
    return wanted.some((one) => classes.has(one))
      ? new PostmasterNotices(config, protocol)
      : undefined
  }

  /** At the end of a session. `sender`: of the mail that was to be delivered. */
  async tell(session: Session, sender: string): Promise<void> {
    const { transcript, troubles } = session
    if (transcript === undefined || transcript.length === 0) return
    if (![...troubles].some((trouble) => this.#classes.has(trouble))) return
    if (sender === '' || sender.toLowerCase() === this.#sender.toLowerCase()) return
    try {
      await this.#post(session.endpointText, transcript)
    } catch (error) {
      log.warning(`postmaster notify: ${errorReason(error)}`)
    }
  }

  #mailbox(name: string, address: string): string {
    return this.#hasObsoleteFrom ? `${address} (${name})` : `${name} <${address}>`
  }

  async #post(peer: string, transcript: readonly string[]): Promise<void> {
    const { path, flags, timeoutMs } = this.#cleanup
    const submission = await openCleanup(path, { flags, timeoutMs })
    try {
      const { queueId } = submission
      const nowMs = Date.now()
      const hostname = this.#hostname
      const mailName = this.#mailName
      const recipient = this.#recipient
      const address = recipient.includes('@') ? recipient : `${recipient}@${hostname}`
      const lines = [
        ...formatLocalReceived({ hostname, mailName, queueId, timeMs: nowMs }),
        `Date: ${formatMailDate(nowMs)}`,
        `From: ${this.#mailbox('Mail Delivery System', `MAILER-DAEMON@${hostname}`)}`,
        `To: ${this.#mailbox('Postmaster', address)}`,
        `Subject: ${mailName} ${this.#title}: errors from ${peer}`,
        '',
        `Unexpected response from ${peer}.`,
        '',
        'Transcript of session follows.',
        '',
        ...transcript.flatMap(wrap),
        '',
        'For other details, see the local mail logfile',
      ]
      submission.send(
        beginInternalMail(this.#sender, recipient) +
          lines.map((line) => encodeRecord(RECORD.line, line)).join('') +
          END_OF_INTERNAL_MAIL,
      )
      const { status, reason } = await submission.finish()
      if (status !== 0) throw new Error(reason)
    } catch (error) {
      submission.cancel()
      throw error
    }
  }
}

/** A blank and the line, cut at blanks where there are any. */
function wrap(line: string): string[] {
  const lines: string[] = []
  let rest = line.trimEnd()
  let room = COLUMNS
  let indent = ''
  while (rest.length > room) {
    const blank = rest.lastIndexOf(' ', room)
    const cut = rest.slice(0, Math.max(blank, 0)).trim() === '' ? room : blank
    lines.push(` ${indent}${rest.slice(0, cut).trimEnd()}`)
    rest = rest.slice(cut).trimStart()
    indent = INDENT
    room = COLUMNS - INDENT.length
  }
  return [...lines, ` ${indent}${rest}`]
}
