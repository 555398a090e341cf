/**
 * maillog-file - the log file that main.cf names
 */
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'

/**
 * maillog_file; '' means syslog.
 * @throws {ConfigError} maillog_file_prefixes does not allow it: a typing error must not overwrite a system file
 */
export function maillogFile(config: MainConfig): string {
  const file = config.text('maillog_file')
  if (file === '') return file
  if (!config.list('maillog_file_prefixes').some((prefix) => file.startsWith(prefix))) {
    throw new ConfigError(
      `maillog_file value '${file}' does not match any prefix in maillog_file_prefixes`,
    )
  }
  return file
}
