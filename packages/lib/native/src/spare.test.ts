import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import t from 'tap'
import { native } from './load.ts'
import { prepareFiles, retireFile } from './spare.ts'

const LOCK_EXCLUSIVE_NOW = 6

process.chdir(t.testdir({ active: {}, spare: {} }))

t.test('a file that is retired is the next one that is prepared', async (t) => {
  writeFileSync('active/A', 'secret', { mode: 0o700 })
  const { ino } = statSync('active/A')
  await retireFile('active/A', 'spare/0.1', 'spare/0')
  t.same(readdirSync('active'), [])
  t.same(readdirSync('spare'), ['0'])
  t.equal(statSync('spare/0').size, 0, 'nothing of the message is left')
  t.equal(statSync('spare/0').mode & 0o7777, 0o600)

  const ring = { directory: 'spare', count: 128, next: 120 }
  const [file, other] = await prepareFiles(ring, ['spare/1.1', 'spare/2.1'])
  t.equal(ring.next, (120 + 18) % 128, 'looked on for some slots, and then no more')
  t.match(file, { path: 'spare/1.1', inode: ino })
  t.match(other, { path: 'spare/2.1', inode: statSync('spare/2.1').ino }, 'an empty slot: created')
  t.equal(statSync('spare/2.1').mode & 0o7777, 0o600)
  t.same(readdirSync('spare').sort(), ['1.1', '2.1'])
  for (const { fd } of [file, other].filter((one) => one !== undefined)) closeSync(fd)
})

t.test('what others still use, or own, is unlinked', async (t) => {
  const spares = (): string[] => readdirSync('spare').filter((name) => !name.includes('.'))
  writeFileSync('active/linked', 'x')
  linkSync('active/linked', 'saved')
  await retireFile('active/linked', 'spare/3.1', 'spare/3')
  t.same(spares(), [])
  t.equal(readFileSync('saved', 'latin1'), 'x', 'the other name keeps its text')

  writeFileSync('active/locked', 'being delivered')
  const fd = openSync('active/locked', 'r+')
  native.flock(fd, LOCK_EXCLUSIVE_NOW)
  await retireFile('active/locked', 'spare/3.1', 'spare/3')
  t.same(spares(), [])
  t.equal(readFileSync(fd, 'latin1'), 'being delivered')
  closeSync(fd)

  mkdirSync('spare/4')
  writeFileSync('active/way', 'x')
  await retireFile('active/way', 'spare/4.1', 'spare/4')
  t.notOk(existsSync('active/way'))
  t.same(spares(), ['4'], 'the slot cannot be taken')
})

t.test('without a place to park, a file is removed; one that is gone is an error', async (t) => {
  writeFileSync('active/A', 'x')
  await retireFile('active/A', '', '')
  t.notOk(existsSync('active/A'))
  await t.rejects(retireFile('active/A', 'spare/5.1', 'spare/5'), { code: 'ENOENT' })
  await t.rejects(retireFile('active/A', 'nowhere/5.1', 'nowhere/5'), { code: 'ENOENT' })
})

t.test('a slot that holds something else is not used', async (t) => {
  writeFileSync('spare/8', 'text', { mode: 0o600 })
  writeFileSync('spare/9', '', { mode: 0o700 })
  const ring = { directory: 'spare', count: 128, next: 8 }
  const paths = ['spare/8.1', 'spare/9.1', 'spare/10.1', 'nowhere/11.1']
  const files = await prepareFiles(ring, paths)
  t.same(
    files.map(({ path }) => path),
    ['spare/8.1', 'spare/9.1', 'spare/10.1'],
    'what cannot be had is left out',
  )
  for (const { path, fd } of files) {
    t.equal(statSync(path).size, 0, path)
    t.equal(statSync(path).mode & 0o777, 0o600, path)
    closeSync(fd)
  }
})
