import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { DirectoryScan } from './directory-scan.ts'

/** The ids that a scan of `incoming` gives, sorted. */
function scan(): string[] {
  const found: string[] = []
  const scan = new DirectoryScan('incoming')
  for (let entry = scan.next(); entry !== undefined; entry = scan.next()) found.push(entry.path)
  return found.sort()
}

function enterDirectory(test: Parameters<typeof temporaryDirectory>[0]): void {
  const before = process.cwd()
  process.chdir(temporaryDirectory(test))
  test.teardown(() => {
    process.chdir(before)
  })
}

t.test('DirectoryScan descends into hash directories and skips what is no queue id', (t) => {
  enterDirectory(t)
  t.same(scan(), [], 'no such directory')
  mkdirSync('incoming/A/B', { recursive: true })
  mkdirSync('incoming/long', { recursive: true })
  for (const name of ['AB1', 'x.y', 'A/B/AB2', 'A/AC3', 'Z', 'long/AD4']) {
    writeFileSync(`incoming/${name}`, '')
  }
  t.same(scan(), [
    'incoming/A/AC3',
    'incoming/A/B/AB2',
    'incoming/AB1',
    'incoming/Z',
    'incoming/long',
  ])
  t.end()
})

t.test('DirectoryScan reads a large directory in pieces', (t) => {
  enterDirectory(t)
  mkdirSync('incoming')
  const tail = 'x'.repeat(200)
  for (let index = 0; index < 600; index += 1) writeFileSync(`incoming/${index}${tail}`, '')
  t.comment(`directory of ${statSync('incoming').size} octets`)
  t.equal(new Set(scan()).size, 600)
  t.end()
})
