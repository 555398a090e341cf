/**
 * warn-about-unsupported - says which parameters are set and not followed yet, instead of keeping quiet about it
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { TextParameter } from '@posthorn/config/parameter-registry'
import { log } from '@posthorn/log/log'

/** Mail that these parameters are about waits: mailbox-routes.ts. */
const ROUTES = [
  'mailbox_command_maps',
  'mailbox_command',
] as const satisfies readonly TextParameter[]

export function warnAboutUnsupported(config: MainConfig): void {
  for (const name of ROUTES) {
    if (config.isSet(name) && config.text(name) !== '') {
      log.warning(`${name} is not supported yet: mail that it is about is deferred`)
    }
  }
  if (/^[|/]/.test(config.text('luser_relay'))) {
    log.warning(
      'luser_relay is not supported yet for commands and files: mail that it is about is deferred',
    )
  }
}
