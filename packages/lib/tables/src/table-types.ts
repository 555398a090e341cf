/**
 * table-types - the lookup table types that can be opened, as `postconf -m` lists them
 */
export const TABLE_TYPES = [
  'btree',
  'cdb',
  'cidr',
  'environ',
  'fail',
  'hash',
  'inline',
  'internal',
  'pcre',
  'pipemap',
  'proxy',
  'randmap',
  'regexp',
  'socketmap',
  'static',
  'tcp',
  'texthash',
  'unionmap',
  'unix',
] as const

export type TableType = (typeof TABLE_TYPES)[number]
