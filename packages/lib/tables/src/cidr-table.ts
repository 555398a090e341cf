/**
 * cidr-table - `cidr:/file` or `cidr:{ { network result }, … }`: rules for IP addresses
 *
 *     pattern result     !pattern result     if pattern … endif     if !pattern … endif
 *
 * A rule that makes no sense is warned about and left out. Source: Postfix 3.7 cidr_table(5).
 */
import { trimSpace } from '@posthorn/config/logical-lines'
import { log } from '@posthorn/log/log'
import { valueAt } from './file-value.ts'
import { Network, parseIp, type IpOctets } from './ip-network.ts'
import { ABSENT, found, type LookupResult, type LookupTable } from './lookup-table.ts'
import type { TableSource } from './open-table.ts'
import { TableOpenError } from './table-error.ts'
import { RuleNest } from './rule-nest.ts'
import { readRules } from './table-source.ts'

type Test = (address: IpOctets) => boolean

export function openCidrTable({ reference, name, context }: TableSource): LookupTable {
  const nest = new RuleNest<IpOctets, LookupResult>()
  for (const { text, first } of rulesOf(name)) {
    const place = `cidr map ${name}, line ${first}`
    const skip = (why: string): void => {
      log.warning(`${place}: ${why}: skipping this rule`)
    }
    const [, keyword = '', rest = ''] = /^(if|endif)(?![a-z0-9])\s*(.*)$/i.exec(text) ?? []
    if (keyword.toLowerCase() === 'endif') {
      if (rest !== '') skip('garbage after ENDIF')
      else if (!nest.close()) skip('ENDIF without IF')
      continue
    }
    const isIf = keyword !== ''
    const { pattern, result } = isIf ? { pattern: rest, result: '' } : splitRule(text)
    const test = compile(pattern)
    if (typeof test === 'string') skip(test)
    else if (isIf) nest.open(test, place)
    else if (result === '') skip('no lookup result')
    else {
      const value = valueAt(place, result, context, 'rule')
      if (value === undefined) continue
      const answer = found(value)
      nest.add(test, () => answer)
    }
  }
  for (const place of nest.unclosed()) log.warning(`${place}: IF has no matching ENDIF`)
  return {
    name: reference,
    isPattern: true,
    find: (key) => {
      const address = key.startsWith('[') ? undefined : parseIp(key)
      return (address && nest.search(address)) ?? ABSENT
    },
  }
}

function rulesOf(name: string): ReturnType<typeof readRules> {
  try {
    return readRules(name, 'cidr')
  } catch (error) {
    throw new TableOpenError(error instanceof Error ? error.message : String(error), {
      cause: error,
    })
  }
}

function splitRule(text: string): { pattern: string; result: string } {
  const [, pattern = '', result = ''] = /^(!*\s*\S+)\s*(.*)$/s.exec(text) ?? []
  return { pattern, result: trimSpace(result) }
}

/** The test, or why there is none. */
function compile(text: string): Test | string {
  const negations = /^[!\s]*/.exec(text)?.[0] ?? ''
  const isNegated = negations.replace(/\s/g, '').length % 2 === 1
  const pattern = text.slice(negations.length)
  if (pattern === '') return 'no address pattern'
  const parsed = Network.parse(pattern)
  if (parsed.kind === 'malformed') return parsed.why
  const { network } = parsed
  return isNegated
    ? (address) => network.isComparable(address) && !network.contains(address)
    : (address) => network.contains(address)
}
