/**
 * temporary-directory - a directory for one test, and files in it, gone afterwards
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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

/** `const file = temporaryFiles(t)`: writes a file of that name and content, and gives its path. */
export function temporaryFiles(
  test: { teardown: (undo: () => unknown) => unknown },
  directory = temporaryDirectory(test),
): (name: string, ...texts: string[]) => string {
  return (name, ...texts) => {
    const path = join(directory, name)
    writeFileSync(path, texts.join(''))
    return path
  }
}
