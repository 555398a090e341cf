/**
 * tlsrpt-settings - what main.cf says about reports
 */
import { splitAddress } from '@posthorn/address/split-address'
import { isValidHostname } from '@posthorn/address/hostname'
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import { externalMailFlags, CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'

/** Who reports: stands in every report. */
export interface Reporter {
  readonly hostname: string
  readonly mailName: string
  readonly organizationName: string
  readonly contactInfo: string
  /** From: and envelope sender, in internal form. */
  readonly sender: string
  /** The domain of the sender, which is to be that of the DKIM signature (RFC 8460 5.3). */
  readonly submitter: string
}

export interface TlsrptSettings {
  readonly reporter: Reporter
  readonly intervalSeconds: number
  /** Over which the reports of a period are spread. */
  readonly delaySeconds: number
  /** Absolute. */
  readonly directory: string
  readonly cleanup: { readonly path: string; readonly flags: number; readonly timeoutMs: number }
  /** dns_nameservers */
  readonly nameservers: string
}

/** Reports are mail from outside to content filters and Milters: somebody must sign them. But nobody wants a copy of each. */
const REPORT_FLAGS = externalMailFlags & ~CLEANUP_FLAGS.bcc

/** @throws {ConfigError} tlsrpt_report_from is no mail address */
export function readTlsrptSettings(config: MainConfig): TlsrptSettings {
  const configured = config.text('tlsrpt_report_from')
  const sender = configured.includes('@') ? configured : `${configured}@${config.origin()}`
  const submitter = splitAddress(sender).domain ?? ''
  if (!/^[\x21-\x7e]+$/.test(sender) || !isValidHostname(submitter)) {
    throw new ConfigError(`bad tlsrpt_report_from value: ${configured}`)
  }
  return {
    reporter: {
      hostname: config.text('myhostname'),
      mailName: config.text('mail_name'),
      organizationName: config.text('tlsrpt_organization_name'),
      contactInfo: config.text('tlsrpt_contact_info') || sender,
      ...{ sender, submitter },
    },
    intervalSeconds: config.seconds('tlsrpt_report_interval'),
    delaySeconds: config.seconds('tlsrpt_report_delay'),
    directory: `${config.text('data_directory')}/tlsrpt`,
    cleanup: {
      path: `public/${config.text('cleanup_service_name')}`,
      flags: REPORT_FLAGS,
      timeoutMs: config.seconds('ipc_timeout') * 1000,
    },
    nameservers: config.text('dns_nameservers'),
  }
}
