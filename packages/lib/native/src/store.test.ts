import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { storeFile } from './store.ts'

const folder = mkdtempSync(join(tmpdir(), 'posthorn-native-'))
t.teardown(() => {
  rmSync(folder, { recursive: true })
})

t.test('storeFile() writes parts at their places and sets the mode', async (t) => {
  const path = join(folder, 'message')
  const large = Buffer.alloc(1_000_000, 'b')
  await storeFile({
    fd: openSync(path, 'w', 0o600),
    parts: [
      { position: 4, octets: 'caf\xe9' },
      { position: 8, octets: large },
      { position: 1_000_008, octets: 's'.repeat(100_000) },
      { position: 0, octets: 'head' },
    ],
    mode: 0o700,
    fsync: true,
    close: true,
  })
  const text = readFileSync(path, 'latin1')
  t.equal(text.length, 1_100_008)
  t.equal(text.slice(0, 10), 'headcaf\xe9bb')
  t.equal(text.slice(-3), 'sss')
  t.equal(statSync(path).mode & 0o777, 0o700)
})

t.test('storeFile() keeps the descriptor and the mode when asked to', async (t) => {
  const fd = openSync(join(folder, 'kept'), 'w', 0o600)
  await storeFile({ fd, parts: [{ position: 0, octets: '' }], fsync: false, close: false })
  t.equal(fstatSync(fd).mode & 0o777, 0o600)
  closeSync(fd)
})

t.test('many more parts than one pwritev(2) takes', async (t) => {
  const path = join(folder, 'parts')
  const parts = Array.from({ length: 500 }, (_, i) => ({
    position: i * 3,
    octets: String(100 + i),
  }))
  await storeFile({ fd: openSync(path, 'w'), parts, fsync: false, close: true })
  t.equal(readFileSync(path, 'latin1'), parts.map((part) => part.octets).join(''))
})

t.test('storeFile() reports the first failure and closes all the same', async (t) => {
  const before = readdirSync('/proc/self/fd').length
  const part = { position: 0, octets: 'x' }
  for (let i = 0; i < 20; i++) {
    const full = openSync('/dev/full', 'w')
    await t.rejects(storeFile({ fd: full, parts: [part], mode: 0o700, fsync: true, close: true }), {
      code: 'ENOSPC',
      syscall: 'pwritev',
    })
  }
  t.equal(readdirSync('/proc/self/fd').length, before)
  const closed = openSync('/dev/null', 'w')
  closeSync(closed)
  await t.rejects(storeFile({ fd: closed, parts: [], fsync: true, close: true }), {
    code: 'EBADF',
    syscall: 'fsync',
  })
  await t.rejects(
    storeFile({ fd: -1, parts: [{ position: -1, octets: '' }], fsync: true, close: true }),
    TypeError,
  )
})

t.test('a hundred stores at once', async (t) => {
  const path = (i: number): string => join(folder, `many-${i}`)
  const jobs = Array.from({ length: 100 }, async (_, i) =>
    storeFile({
      fd: openSync(path(i), 'w'),
      parts: [{ position: 0, octets: `message ${i}` }],
      fsync: true,
      close: true,
    }),
  )
  await Promise.all(jobs)
  for (const i of jobs.keys()) t.equal(readFileSync(path(i), 'latin1'), `message ${i}`)
})
