/**
 * temporary-directory - a directory for one test, gone afterwards
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * `const directory = temporaryDirectory(t)`: removed with all its content when the test ends. The path is short, so
 * that Unix sockets fit into it (108 octets).
 */
export function temporaryDirectory(test: { teardown: (undo: () => unknown) => unknown }): string {
  const path = mkdtempSync(join(tmpdir(), 'ph-'))
  test.teardown(() => {
    rmSync(path, { recursive: true, force: true })
  })
  return path
}
