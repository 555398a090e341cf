/**
 * warn-about-unsupported - says which parameters are set and not followed yet, instead of keeping quiet about it
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { TextParameter } from '@posthorn/config/parameter-registry'
import { log } from '@posthorn/log/log'

/** Mail that these parameters are about waits: mailbox-routes.ts. */
const ROUTES = [
  'alias_maps',
  'mailbox_transport_maps',
  'mailbox_transport',
  'mailbox_command_maps',
  'mailbox_command',
  'fallback_transport_maps',
  'fallback_transport',
] as const satisfies readonly TextParameter[]

export function warnAboutUnsupported(config: MainConfig): void {
  for (const name of ROUTES) {
    if (config.isSet(name) && config.text(name) !== '') {
      log.warning(`${name} is not supported yet: mail that it is about is deferred`)
    }
  }
  if (config.isSet('forward_path') && config.text('forward_path') !== '') {
    log.warning('forward_path is not supported yet: mail for users with such a file is deferred')
  }
  if (/^[|/:]/.test(config.text('luser_relay'))) {
    log.warning('luser_relay is supported for addresses only: mail that it is about is deferred')
  }
}
