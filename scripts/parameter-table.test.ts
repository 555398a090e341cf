import { join } from 'node:path'
import { execa } from 'execa'
import t from 'tap'
import { ROOT } from './instance.ts'

t.test('docs/parameters-smtp.md is what the sources and the tests say', async (t) => {
  const script = join(ROOT, 'scripts/parameter-table.ts')
  const { exitCode, stderr } = await execa(process.execPath, [script, '--check'], { reject: false })
  t.equal(exitCode, 0, stderr)
})
