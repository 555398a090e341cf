import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { findGroup, findUser, findUserById, makeFifo } from './user.ts'

t.test('findUser() and findGroup()', (t) => {
  const root = findUser('root')
  t.match(root, { name: 'root', uid: 0, gid: 0, home: String, shell: String })
  t.same(findUserById(0), root)
  t.match(findGroup('root'), { name: 'root', gid: 0 })
  t.equal(findUser('no such user'), undefined)
  t.equal(findUser(''), undefined)
  t.equal(findUser('a\0b'), undefined)
  t.equal(findUser('x'.repeat(5000)), undefined)
  t.equal(findUserById(3_999_999_999), undefined)
  t.equal(findGroup('no such group'), undefined)
  t.end()
})

t.test('makeFifo()', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-native-'))
  const path = join(folder, 'fifo')
  makeFifo(path, 0o600)
  t.ok(statSync(path).isFIFO())
  t.throws(
    () => {
      makeFifo(path, 0o600)
    },
    { code: 'EEXIST', syscall: 'mkfifo' },
  )
  rmSync(folder, { recursive: true })
  t.end()
})
