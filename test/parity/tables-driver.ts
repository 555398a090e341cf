/**
 * tables-driver - asks our lookup tables, as `postmap -q` asks those of Postfix
 *
 * Standard input: JSON, an array of { table, keys }. Standard output: JSON, for each of them the answers and what was
 * logged. A program of its own, because a process may log 13 errors only. Text is octets, as everywhere.
 */
import { text } from 'node:stream/consumers'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { openTable } from '@posthorn/tables/open-table'

export interface Question {
  readonly table: string
  readonly keys: readonly string[]
}

export interface Asked {
  /** The value for each key; null: no such key; `!reason`: try again. */
  readonly answers: readonly (string | null)[]
  readonly log: readonly string[]
}

async function ask({ table, keys }: Question, config: MainConfig): Promise<Asked> {
  const log = captureLog()
  try {
    const opened = openTable(table, { config })
    const answers: (string | null)[] = []
    for (const key of keys) {
      const answer = await opened.find(key)
      if (answer.kind === 'found') answers.push(answer.value)
      else answers.push(answer.kind === 'absent' ? null : `!${answer.reason}`)
    }
    return { answers, log: log.lines }
  } catch (error) {
    return { answers: keys.map(() => null), log: [...log.lines, `fatal: ${String(error)}`] }
  } finally {
    log.restore()
  }
}

const config = MainConfig.load()
const questions = JSON.parse(await text(process.stdin)) as Question[]
const asked: Asked[] = []
for (const question of questions) asked.push(await ask(question, config))
process.stdout.write(JSON.stringify(asked))
// connections to table servers may be open
process.exit(0)
