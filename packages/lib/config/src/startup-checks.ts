/**
 * startup-checks - what every program demands of main.cf before it does anything
 *
 * In Postfix's order and words; the first fault ends the program. A rootless instance (mail_owner is the user who
 * runs it) is not asked about users and groups: it changes to none of them.
 * Source: Postfix 3.7 postconf(5), and the program itself.
 */
import { findGroup, findUser, findUserById } from '@posthorn/native/user'
import { checkCommonParameters } from './common-parameters.ts'
import { ConfigError } from './config-error.ts'
import { parseCompatibilityLevel } from './compatibility-level.ts'
import { hostnameFault } from './hostname-fault.ts'
import type { MainConfig } from './main-config.ts'
import { splitWords } from './split-list.ts'

/**
 * @returns lines to log as warnings
 * @throws {ConfigError}
 */
export function checkStartup(config: MainConfig): string[] {
  const warnings: string[] = []
  const file = `file ${config.directory}/main.cf:`
  const level = config.expanded('compatibility_level')
  if (parseCompatibilityLevel(level) === undefined) {
    throw new ConfigError(`malformed compatibility level syntax: "${level}"`)
  }
  checkFacility(config, file)
  for (const item of splitAtCommas(config.text('known_tcp_ports'))) {
    const fault = knownPortFault(item)
    if (fault !== undefined) warnings.push(`known_tcp_ports: in "${item}"${fault}`)
  }
  checkProtocols(config)
  checkHostname(config, 'myhostname', file)
  checkHostname(config, 'mydomain', file)
  if (!isRootless(config)) checkIdentities(config, file)
  checkCommonParameters(config)
  config.text('mynetworks')
  const myhostname = config.text('myhostname')
  if (config.text('relayhost').toLowerCase() === myhostname.toLowerCase()) {
    throw new ConfigError(
      `myhostname and relayhost parameter settings must not be identical: ${myhostname}`,
    )
  }
  // whatever main.cf names is read where it can be seen: before a jail closes
  config.origin()
  checkVerp(config, file)
  return warnings
}

function checkFacility(config: MainConfig, file: string): void {
  const value = config.expanded('syslog_facility')
  try {
    config.keyword('syslog_facility')
  } catch (error) {
    throw new ConfigError(`${file} parameter syslog_facility: unrecognized value: ${value}`, {
      cause: error,
    })
  }
}

function splitAtCommas(text: string): string[] {
  return text.split(',').filter((item) => item.trim() !== '')
}

/** `name = port`, or several names for one port: `smtps=submissions=465`. */
function knownPortFault(item: string): string | undefined {
  const names = item.split('=')
  const port = names.pop() ?? ''
  if (names.length === 0) return ' is not in "name = value" form'
  if (names.some((name) => name.trim() === '')) return ': empty service name'
  return /^\s*\d+\s*$/.test(port) ? undefined : ': non-numerical service port'
}

function checkProtocols(config: MainConfig): void {
  const value = config.text('inet_protocols')
  for (const word of splitWords(value)) {
    if (!['all', 'ipv4', 'ipv6'].includes(word.toLowerCase())) {
      throw new ConfigError(`unknown inet_protocols value "${word}" in "${value}"`)
    }
  }
}

function checkHostname(config: MainConfig, name: 'myhostname' | 'mydomain', file: string): void {
  const value = config.text(name)
  const fault = hostnameFault(value)
  if (fault === undefined) return
  throw new ConfigError(`${file} parameter ${name}: bad parameter value: ${value}`, {
    warnings: [`valid_hostname: ${fault}`],
  })
}

/** The instance belongs to whoever runs it, and nobody switches users. */
function isRootless(config: MainConfig): boolean {
  return findUser(config.text('mail_owner'))?.uid === process.getuid?.()
}

interface Identity {
  readonly parameter: 'default_privs' | 'mail_owner'
  readonly user: string
  readonly uid: number
  readonly gid: number
}

function identity(config: MainConfig, parameter: Identity['parameter'], file: string): Identity {
  const user = config.text(parameter)
  const fail = (why: string): ConfigError =>
    new ConfigError(`${file} parameter ${parameter}: ${why}`)
  const entry = findUser(user)
  if (entry === undefined) throw fail(`unknown user name value: ${user}`)
  if (entry.uid === 0) throw fail(`user ${user} has privileged user ID`)
  if (entry.gid === 0) throw fail(`user ${user} has privileged group ID`)
  return { parameter, user, uid: entry.uid, gid: entry.gid }
}

function checkIdentities(config: MainConfig, file: string): void {
  const privs = identity(config, 'default_privs', file)
  const owner = identity(config, 'mail_owner', file)
  const other = findUserById(owner.uid)
  if (other && other.name !== owner.user) {
    throw new ConfigError(
      `${file} parameter mail_owner: user ${owner.user} has same user ID as ${other.name}`,
    )
  }
  const groupName = config.text('setgid_group')
  const group = findGroup(groupName)
  if (group === undefined) {
    throw new ConfigError(`${file} parameter setgid_group: unknown group name: ${groupName}`)
  }
  if (group.gid === 0) {
    throw new ConfigError(
      `${file} parameter setgid_group: group ${groupName} has privileged group ID`,
    )
  }
  const pair = `${file} parameters default_privs and mail_owner specify the same`
  if (privs.user === owner.user) throw new ConfigError(`${pair} user ${owner.user}`)
  if (privs.uid === owner.uid) throw new ConfigError(`${pair} user ID: ${owner.uid}`)
  if (privs.gid === owner.gid) throw new ConfigError(`${pair} group ID: ${owner.gid}`)
  for (const one of [privs, owner]) {
    if (one.gid === group.gid) {
      throw new ConfigError(
        `${file} parameters ${one.parameter} and setgid_group: ` +
          `user ${one.user} and group ${groupName} have the same group ID: ${group.gid}`,
      )
    }
  }
}

function checkVerp(config: MainConfig, file: string): void {
  const delimiters = config.text('default_verp_delimiters')
  const allowed = config.text('verp_delimiter_filter')
  for (const [at, which] of ['first', 'second'].entries()) {
    const char = delimiters[at]
    if (char === undefined || !allowed.includes(char)) {
      throw new ConfigError(
        `${file} parameters default_verp_delimiters and verp_delimiter_filter: bad ${which} VERP delimiter character`,
      )
    }
  }
}
