/**
 * tls-policy-maps - reads smtp_tls_policy_maps: `secure match=nexthop ciphers=high`
 *
 *     LEVEL [NAME=VALUE ...]       separated by blanks and commas; lists inside a value by colons, fingerprints by `|`
 *     LEVEL { NAME = VALUE } ...   where the value has blanks in it
 *
 * What is wrong with a policy makes it invalid, never weaker: mail to the destination waits. Source: Postfix 3.7
 * postconf(5) smtp_tls_policy_maps, TLS_README; what is in braces and what an MTA-STS plugin adds: 3.10, TLSRPT_README.
 */
import { isValidHostname } from '@posthorn/address/hostname'
import { splitAssignment } from '@posthorn/config/assignment'
import { log } from '@posthorn/log/log'
import type { MapList } from '@posthorn/tables/map-list'
import { TLS_LEVELS } from '@posthorn/wire/tlsproxy-protocol'
import { isStsAttribute, StsAttributes } from './sts-attributes.ts'
import { findTlsLevel, tlsLevelName, type TlsReuse } from './tls-options.ts'
import type { TlsRequest } from './tls-policy.ts'

export type PolicyLookup = TlsRequest | 'absent' | 'invalid'

/** By the whole next-hop; a bare domain name also by its parents, as `.example.com`. */
export async function findMappedPolicy(maps: MapList, nexthop: string): Promise<PolicyLookup> {
  const where = `${maps.title}, next-hop destination "${nexthop}"`
  let answer = await maps.find(nexthop)
  if (isValidHostname(nexthop)) {
    let dot = nexthop.indexOf('.', 1)
    while (answer.kind === 'absent' && dot > 0) {
      answer = await maps.findPart(nexthop.slice(dot))
      dot = nexthop.indexOf('.', dot + 1)
    }
  }
  if (answer.kind === 'absent') return 'absent'
  if (answer.kind === 'found') return parseTlsPolicy(answer.value, where)
  log.warning(`${where}: policy table lookup error`)
  return 'invalid'
}

/** `where` begins the warning about a policy that is not one. */
export function parseTlsPolicy(text: string, where: string): TlsRequest | 'invalid' {
  const words = splitWords(text)
  if (words === undefined) return invalid(`${where}: missing '}' in policy`)
  const [levelWord, ...attributes] = words
  if (levelWord === undefined) return invalid(`${where}: invalid empty policy`)
  const level = findTlsLevel(levelWord)
  if (level === undefined) return invalid(`${where}: invalid security level "${levelWord}"`)
  if (level === TLS_LEVELS.none) {
    for (const attribute of attributes) {
      log.warning(`${where}: ignoring attribute "${attribute}" with TLS disabled`)
    }
    return { level }
  }
  const reader = new AttributeReader(level, where)
  for (const attribute of attributes) if (!reader.read(attribute)) return 'invalid'
  return reader.finish()
}

/** A word in braces loses them. Undefined: a brace is left open. */
function splitWords(text: string): string[] | undefined {
  const words: string[] = []
  let rest = text.replace(/^[\s,]+/, '')
  while (rest !== '') {
    const isBraced = rest.startsWith('{')
    const end = isBraced ? rest.indexOf('}') : rest.search(/[\s,]/)
    if (isBraced && end < 0) return undefined
    words.push(isBraced ? rest.slice(1, end).trim() : rest.slice(0, end < 0 ? undefined : end))
    rest = end < 0 ? '' : rest.slice(isBraced ? end + 1 : end).replace(/^[\s,]+/, '')
  }
  return words
}

type Settable = { -readonly [K in keyof TlsRequest]: TlsRequest[K] }

class AttributeReader {
  readonly policy: Settable
  readonly #where: string
  readonly #sts = new StsAttributes()

  constructor(level: number, where: string) {
    this.policy = { level }
    this.#where = where
  }

  /** Afterwards nothing more is read. 'invalid': the attributes do not go together, and that was logged. */
  finish(): TlsRequest | 'invalid' {
    const sts = this.#sts.finish()
    if (typeof sts === 'string') return invalid(`${this.#where}: ${sts}`)
    return sts === undefined ? this.policy : { ...this.policy, sts }
  }

  /** False: the policy is invalid, and that was logged. */
  read(attribute: string): boolean {
    const pair = splitAssignment(attribute)
    if (pair.kind === 'malformed') {
      return this.#fail(`malformed attribute/value pair "${attribute}": ${pair.why}`)
    }
    const { name, value } = pair
    const lowerName = name.toLowerCase()
    if (isStsAttribute(lowerName)) {
      const problem = this.#sts.add(lowerName, value)
      return problem === undefined || this.#fail(problem)
    }
    switch (lowerName) {
      case 'ciphers':
        return this.#isFilled(name, value) && this.#setOnce(name, 'grade', value)
      case 'protocols':
        return this.#setOnce(name, 'protocols', value)
      case 'exclude':
        return this.#setOnce(name, 'exclusions', value)
      case 'servername':
        if (value !== 'hostname' && value !== 'nexthop' && !isValidHostname(value)) {
          return this.#fail(`"${name}=${value}" specifies an invalid hostname`)
        }
        return this.#setOnce(name, 'serverName', value)
      case 'match':
        return this.#addMatches(name, value)
      case 'tafile':
        if (!this.#hasLevel(TLS_LEVELS.verify, TLS_LEVELS.secure)) return this.#badLevel(name)
        if (!this.#isFilled(name, value)) return false
        this.policy.anchorFiles = [...(this.policy.anchorFiles ?? []), value]
        return true
      case 'connection_reuse': {
        const reuse = value.toLowerCase()
        if (!isReuse(reuse)) return this.#fail(`attribute "${name}" has bad value: "${value}"`)
        this.policy.reuse = reuse
        return true
      }
      default:
        return this.#fail(`invalid attribute name: "${name}"`)
    }
  }

  #addMatches(name: string, value: string): boolean {
    if (!this.#hasLevel(TLS_LEVELS.fingerprint, TLS_LEVELS.verify, TLS_LEVELS.secure)) {
      return this.#badLevel(name)
    }
    if (!this.#isFilled(name, value)) return false
    const delimiter = this.policy.level === TLS_LEVELS.fingerprint ? '|' : ':'
    const found = value.split(delimiter).filter((one) => one !== '')
    this.policy.match = [...(this.policy.match ?? []), ...found]
    return true
  }

  #setOnce(
    name: string,
    field: 'grade' | 'protocols' | 'exclusions' | 'serverName',
    value: string,
  ): boolean {
    if (this.policy[field] !== undefined) {
      return this.#fail(`attribute "${name}" is specified multiple times`)
    }
    this.policy[field] = value
    return true
  }

  #isFilled(name: string, value: string): boolean {
    return value !== '' || this.#fail(`attribute "${name}" has empty value`)
  }

  #hasLevel(...levels: readonly number[]): boolean {
    return levels.includes(this.policy.level)
  }

  #badLevel(name: string): boolean {
    const level = tlsLevelName(this.policy.level)
    return this.#fail(`attribute "${name}" invalid at security level "${level}"`)
  }

  #fail(what: string): false {
    log.warning(`${this.#where}: ${what}`)
    return false
  }
}

function isReuse(word: string): word is TlsReuse {
  return word === 'yes' || word === 'no'
}

function invalid(warning: string): 'invalid' {
  log.warning(warning)
  return 'invalid'
}
