/**
 * bounce-templates - postconf -b and -t: the texts with which bounce(8) starts its notices
 *
 * bounce(8) knows them, and main.cf of the same directory says which file has others; so it is asked, in the form that it
 * has for this. Source: Postfix 3.7 postconf(1), bounce(5).
 */
import { spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import { strerror } from '@posthorn/config/strerror'

/** Where shells count from when a signal ended a program. */
const SIGNAL_STATUS = 128

/**
 * @param files instead of `bounce_template_file`; '' is the built-in text
 * @returns the status of bounce(8), which complains for itself
 * @throws {ConfigError} it cannot be started
 */
export function showTemplates(
  config: MainConfig,
  isExpanded: boolean,
  files: readonly string[],
  print: (text: string) => void,
): number {
  if (files.length > 1) throw new ConfigError('options -b and -t require at most one template file')
  const path = `${config.text('daemon_directory')}/bounce`
  const service = isExpanded ? 'expand_templates' : 'dump_templates'
  const override = files.map((file) => ['-o', `bounce_template_file=${file}`]).flat()
  // eslint-disable-next-line n/no-sync -- a command that does one thing
  const { error, signal, status, stdout } = spawnSync(
    path,
    [`-SVn${service}`, ...override, '-o', 'queue_directory=.'],
    {
      argv0: 'bounce',
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'latin1',
      env: { ...process.env, MAIL_CONFIG: config.directory },
    },
  )
  if (error) throw new ConfigError(`execv ${path}: ${strerror(error)}`, { cause: error })
  print(stdout)
  return status ?? SIGNAL_STATUS + constants.signals[signal ?? 'SIGABRT']
}
