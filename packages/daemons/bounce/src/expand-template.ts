/**
 * expand-template - the text of a template with the values of this site
 *
 * Besides main.cf parameters there are times in a unit of the author's choice, as
 * $maximal_queue_lifetime_days. A name that nobody defines is a fault of the configuration.
 * Source: Postfix 3.7 bounce(5).
 */
import { domainToUnicode } from 'node:url'
import { ConfigError } from '@posthorn/config/config-error'
import { expandMacros } from '@posthorn/config/expand-macros'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import type { Template } from './template.ts'

const UNIT_SECONDS: ReadonlyMap<string, number> = new Map([
  ['seconds', 1],
  ['minutes', 60],
  ['hours', 3600],
  ['days', 86400],
  ['weeks', 604800],
])

/** Lines of text. @throws {ConfigError} unknown name */
export function expandTemplate(template: Template, config: MainConfig): string[] {
  return template.text.map((line) =>
    expandMacros(line, (name) => findValue(name, template, config), { isRecursive: false }),
  )
}

function findValue(name: string, template: Template, config: MainConfig): string {
  const time = /^(delay_warning_time|maximal_queue_lifetime)_([a-z]+)$/.exec(name)
  if (time !== null) return timeInUnit(time[1] ?? '', time[2] ?? '', template, config)
  if (config.find(name) === undefined) {
    throw new ConfigError(
      `unknown parameter $${name} in ${template.name} template of ${template.origin}`,
    )
  }
  const value = config.expanded(name)
  const isDomain = name === 'myhostname' || name === 'mydomain'
  return isDomain && config.boolean('smtputf8_enable') ? displayDomain(value) : value
}

function timeInUnit(name: string, unit: string, template: Template, config: MainConfig): string {
  const unitSeconds = UNIT_SECONDS.get(unit)
  if (unitSeconds === undefined) {
    throw new ConfigError(
      `unknown time unit "${unit}" in ${template.name} template of ${template.origin}`,
    )
  }
  const seconds =
    name === 'delay_warning_time'
      ? config.seconds('delay_warning_time')
      : config.seconds('maximal_queue_lifetime')
  const value = Math.floor(seconds / unitSeconds)
  if (value === 0 && unit !== 'seconds') {
    log.warning(
      `${template.origin}: zero result in ${template.name} template conversion of parameter "${name}_${unit}"`,
    )
    log.warning(
      `please reduce time unit "${unit}" of "${name}_${unit}" in ${template.name} template`,
    )
    log.warning('for instructions see the bounce(5) manual')
  }
  return String(value)
}

/** U-labels as UTF-8 octets; a name that is no domain stays as it is. */
function displayDomain(name: string): string {
  if (!/(?:^|\.)xn--/i.test(name)) return name
  const shown = domainToUnicode(name)
  return shown === '' ? name : Buffer.from(shown).toString('latin1')
}
