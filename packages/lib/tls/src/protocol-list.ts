/**
 * protocol-list - which versions of TLS a connection may have
 *
 *     parseProtocols('>=TLSv1.2')          parseProtocols('!SSLv2, !SSLv3, !TLSv1')          parseProtocols('TLSv1.2:TLSv1.3')
 *
 * A lower and an upper bound, by name or by hexadecimal number, or the older lists of what is left out or taken in. OpenSSL
 * wants the versions of a connection to be a range: a version that is left out ends it.
 * SSLv3 is not there any more: as a lower bound it means nothing, as an upper bound it leaves nothing. SSLv2 is no bound.
 * Source: Postfix 3.7 postconf(5) smtp_tls_mandatory_protocols; RFC 8446 4.2.1 for the numbers.
 */
import { constants } from 'node:crypto'
import type { SecureVersion } from 'node:tls'

interface Version {
  readonly name: SecureVersion | undefined
  readonly number: number
  /** Leaves it out: SSL_OP_NO_x. */
  readonly without: number
}

const SSL_V2 = 0x0002

const VERSIONS: ReadonlyMap<string, Version> = new Map(
  (
    [
      ['SSLv2', { name: undefined, number: SSL_V2, without: 0 }],
      ['SSLv3', { name: undefined, number: 0x0300, without: 0 }],
      ['TLSv1', { name: 'TLSv1', number: 0x0301, without: constants.SSL_OP_NO_TLSv1 }],
      ['TLSv1.1', { name: 'TLSv1.1', number: 0x0302, without: constants.SSL_OP_NO_TLSv1_1 }],
      ['TLSv1.2', { name: 'TLSv1.2', number: 0x0303, without: constants.SSL_OP_NO_TLSv1_2 }],
      ['TLSv1.3', { name: 'TLSv1.3', number: 0x0304, without: constants.SSL_OP_NO_TLSv1_3 }],
    ] as const
  ).map(([name, version]) => [name.toLowerCase(), version]),
)
const ALL = [...VERSIONS.values()]
const WITHOUT_ALL = ALL.reduce((bits, version) => bits | version.without, 0)

export interface ProtocolRange {
  readonly minVersion: SecureVersion
  readonly maxVersion: SecureVersion
  /** SSL_OP_NO_x for what is left out. */
  readonly options: number
  /** Bounds that the library does not know, as `minimum TLS version to: 0x0305`: each is without effect. */
  readonly unknown: readonly string[]
}

/** @returns undefined: not such a list */
export function parseProtocols(list: string): ProtocolRange | undefined {
  let lower: Version | undefined
  let upper: Version | undefined
  let excluded = 0
  let included = 0
  let includesSome = false
  const unknown: string[] = []
  for (const word of list.split(/[\s,:]+/).filter((item) => item !== '')) {
    const [, operator = '', text = ''] = /^(>=|<=|!?)(.*)$/s.exec(word) ?? []
    if (operator === '>=' || operator === '<=') {
      const number = versionNumber(text)
      if (number === undefined) return undefined
      const version = ALL.find((known) => known.number === number)
      if (version === undefined && number !== 0) {
        const which = operator === '>=' ? 'minimum' : 'maximum'
        const hex = number.toString(16).toUpperCase().padStart(4, '0')
        unknown.push(`${which} TLS version to: 0x${hex}`)
      } else if (operator === '>=') lower = version
      else upper = version
      continue
    }
    const version = VERSIONS.get(text.toLowerCase())
    if (version === undefined) return undefined
    if (operator === '!') excluded |= version.without
    else {
      included |= version.without
      includesSome = true
    }
  }
  if (includesSome) excluded |= WITHOUT_ALL & ~included
  if (upper !== undefined && upper.name === undefined) excluded = WITHOUT_ALL
  return {
    minVersion: lower?.name ?? 'TLSv1',
    maxVersion: upper?.name ?? 'TLSv1.3',
    options: excluded,
    unknown,
  }
}

/** 0: no bound. */
function versionNumber(text: string): number | undefined {
  if (text === '') return 0
  const named = VERSIONS.get(text.toLowerCase())
  if (named !== undefined) return named.number === SSL_V2 ? undefined : named.number
  return /^(0x)?[0-9a-f]{1,4}$/i.test(text) ? Number.parseInt(text, 16) : undefined
}
