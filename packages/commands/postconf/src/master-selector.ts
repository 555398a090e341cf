/**
 * master-selector - service/type/part: which entries of master.cf an operand of postconf(1) means
 */

/** Between the slashes; empty parts count for nothing. */
export function selectorParts(text: string): string[] {
  return text.split('/').filter((part) => part !== '')
}

/** `*` is a whole part or none of it. */
export function isPartialWildcard(part: string): boolean {
  return part !== '*' && part.includes('*')
}

export function matches(pattern: string, value: string): boolean {
  return pattern === '*' || pattern === value
}
