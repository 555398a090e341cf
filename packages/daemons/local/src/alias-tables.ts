/**
 * alias-tables - the tables of alias_maps
 *
 * Whoever writes to them decides what becomes of mail, and with whose rights: so they are opened directly, not by
 * proxymap(8), and no text of the address gets into a result. Source: Postfix 3.7 local(8), aliases(5).
 */
import { statSync } from 'node:fs'
import type { MainConfig } from '@posthorn/config/main-config'
import { splitList } from '@posthorn/config/split-list'
import { log } from '@posthorn/log/log'
import { MapList } from '@posthorn/tables/map-list'

export type AliasResult =
  /** `ownerId`: of the table, whose rights files named in it are written with; undefined: nobody's in particular. */
  | { readonly kind: 'found'; readonly value: string; readonly ownerId: number | undefined }
  | { readonly kind: 'absent' }
  | { readonly kind: 'tryAgain' }

/** What the file of a table is called, by type. */
const endings: ReadonlyMap<string, string> = new Map([
  ['hash', '.db'],
  ['btree', '.db'],
  ['cdb', '.cdb'],
  ['lmdb', '.lmdb'],
  ['texthash', ''],
  ['regexp', ''],
  ['pcre', ''],
])

export class AliasTables {
  readonly #maps: MapList

  /** @throws {ConfigError} alias_maps names no table */
  constructor(config: MainConfig) {
    const direct = splitList(config.text('alias_maps')).map((item) => item.replace(/^proxy:/, ''))
    this.#maps = MapList.open('alias_maps', direct.join(' '), { config, forbidsSubstitution: true })
  }

  /** @param name folded */
  async find(name: string): Promise<AliasResult> {
    for (const table of this.#maps.tables) {
      const answer = await table.find(name)
      if (answer.kind === 'tryAgain') log.warning(`${table.name}: lookup of '${name}' failed`)
      if (answer.kind === 'found') return { ...answer, ownerId: ownerOf(table.name) }
      if (answer.kind === 'tryAgain') return { kind: 'tryAgain' }
    }
    return { kind: 'absent' }
  }
}

/** Root's tables are for everybody, and give nobody root's rights. */
function ownerOf(reference: string): number | undefined {
  const colon = reference.indexOf(':')
  const ending = endings.get(reference.slice(0, colon))
  if (ending === undefined) return undefined
  // eslint-disable-next-line n/no-sync -- cached metadata, 6 us (docs/performance.md 7)
  const stats = statSync(reference.slice(colon + 1) + ending, { throwIfNoEntry: false })
  return stats === undefined || stats.uid === 0 ? undefined : stats.uid
}
