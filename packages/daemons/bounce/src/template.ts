/**
 * template - the words of a notice
 *
 * Four templates, built in or from bounce_template_file. The header fields are taken as they are; the
 * text is expanded with main.cf parameters when a notice is written.
 * Source: Postfix 3.7 bounce(5). The wording is ours.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { parseTemplateFile } from './template-file.ts'

export const TEMPLATE_NAMES = ['failure', 'delay', 'success', 'verify'] as const
export type TemplateName = (typeof TEMPLATE_NAMES)[number]

export interface Template {
  readonly name: TemplateName
  /** Where it comes from, for warnings. */
  readonly origin: string
  readonly charset: string
  readonly from: string
  readonly subject: string
  /** Only failure and delay have postmaster copies. */
  readonly postmasterSubject: string | undefined
  /** Lines, not expanded. */
  readonly text: readonly string[]
}

export type Templates = Readonly<Record<TemplateName, Template>>

export const BUILT_IN = '[built-in]'
const GREETING = ['This is the mail system at host $myhostname.', '']
const SIGNATURE = ['', '                   The mail system']
const HELP = [
  '',
  'If you need help, please write to the postmaster and include this',
  'report. The part with your own message may be left out.',
]

/** @throws {ConfigError} bounce_template_file cannot be read or is malformed */
export function loadTemplates(config: MainConfig): Templates {
  const builtIn = builtInTemplates(config.keyword('header_from_format') === 'obsolete')
  const path = config.text('bounce_template_file')
  return path === '' ? builtIn : parseTemplateFile(path, builtIn)
}

export function builtInTemplates(hasObsoleteFrom: boolean): Templates {
  const from = hasObsoleteFrom
    ? 'MAILER-DAEMON (Mail Delivery System)'
    : 'Mail Delivery System <MAILER-DAEMON>'
  const shared = { origin: BUILT_IN, charset: 'us-ascii', from }
  return {
    failure: {
      ...shared,
      name: 'failure',
      subject: 'Undelivered Mail Returned to Sender',
      postmasterSubject: 'Postmaster Copy: Undelivered Mail',
      text: [
        ...GREETING,
        'Your message could not be delivered to the recipients named below,',
        'and no further attempt will be made. It is attached to this report.',
        ...HELP,
        ...SIGNATURE,
      ],
    },
    delay: {
      ...shared,
      name: 'delay',
      subject: 'Delayed Mail (still being retried)',
      postmasterSubject: 'Postmaster Warning: Delayed Mail',
      text: [
        ...GREETING,
        '  This is only a warning: there is no need to send the message again.',
        '',
        'Your message has been waiting for more than $delay_warning_time_hours hour(s) and could',
        'not be delivered to the recipients named below so far. Delivery will be',
        'attempted until the message is $maximal_queue_lifetime_days day(s) old.',
        ...HELP,
        ...SIGNATURE,
      ],
    },
    success: {
      ...shared,
      name: 'success',
      subject: 'Successful Mail Delivery Report',
      postmasterSubject: undefined,
      text: [
        ...GREETING,
        'Your message was delivered to the recipients named below. Where it was',
        'handed to another mail system, that system may still report an error.',
        ...SIGNATURE,
      ],
    },
    verify: {
      ...shared,
      name: 'verify',
      subject: 'Mail Delivery Status Report',
      postmasterSubject: undefined,
      text: [...GREETING, 'This is the delivery report that you asked for.', ...SIGNATURE],
    },
  }
}
