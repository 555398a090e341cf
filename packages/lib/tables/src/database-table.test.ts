import { copyFileSync, mkdtempSync, renameSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MainConfig } from '@posthorn/config/main-config'
import t from 'tap'
import type { LookupTable } from './lookup-table.ts'
import { openTable } from './open-table.ts'

const config = MainConfig.of({ compatibility_level: '3.7' })
const people = new URL('fixtures/people-hash.db', import.meta.url).pathname
const aliases = new URL('fixtures/aliases-hash.db', import.meta.url).pathname

/** Lookups look at the file at most ten times a second: asks until the answer is as wanted. */
async function until(table: LookupTable, key: string, wanted: string): Promise<void> {
  for (;;) {
    const answer = await table.find(key)
    if (answer.kind === wanted) return
    await sleep(20)
  }
}

t.test('a database table follows its file', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-table-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true })
  })
  const path = join(directory, 'map.db')
  copyFileSync(people, path)
  const table = openTable(`hash:${directory}/map`, { config })
  t.match(await table.find('key1'), { kind: 'found' })

  copyFileSync(aliases, path)
  await until(table, 'postmaster', 'found')
  t.match(await table.find('key1'), { kind: 'absent' }, 'rewritten in place')

  copyFileSync(people, `${path}.new`)
  renameSync(`${path}.new`, path)
  await until(table, 'key1', 'found')
  t.pass('replaced by another file')

  copyFileSync('/dev/null', path)
  utimesSync(path, new Date(), new Date())
  await until(table, 'key1', 'absent')
  t.notOk(table.isStale)

  rmSync(path)
  while (table.isStale !== true) {
    await table.find('key1')
    await sleep(20)
  }
  t.pass('a file that is gone makes the table stale')
})
