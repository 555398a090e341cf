/**
 * raw-parameters - text that is kept unexpanded, for expansion with the attributes of a request
 *
 * Hand-maintained data. `since` marks names that are newer than Postfix 3.7. Source: Postfix 3.7 postconf(5).
 */
import type { ParameterSpec } from '../parameter-spec.ts'

export const RAW_PARAMETERS = {
  command_execution_directory: { default: '' },
  default_rbl_reply: {
    default:
      '$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using $rbl_domain${rbl_reason?; $rbl_reason}',
    min: 1,
  },
  forward_path: { default: '$home/.forward${recipient_delimiter}${extension}, $home/.forward' },
  luser_relay: { default: '' },
  mailbox_command: { default: '' },
  postscreen_expansion_filter: { default: '$smtpd_expansion_filter', min: 1 },
  postscreen_reject_footer: { default: '$smtpd_reject_footer' },
  smtpd_expansion_filter: {
    default:
      '\\t\\40!"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~',
    min: 1,
  },
  smtpd_reject_footer: { default: '' },
} as const satisfies Record<string, ParameterSpec>
