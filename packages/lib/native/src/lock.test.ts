import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { fcntlUnlock, tryFcntlLock, tryLock, unlock, waitLock } from './lock.ts'

const folder = mkdtempSync(join(tmpdir(), 'posthorn-native-'))
const path = join(folder, 'lock')
t.teardown(() => {
  rmSync(folder, { recursive: true })
})

/** Another process that holds the lock until its standard input ends. */
async function holder(call: string): Promise<() => Promise<void>> {
  const source = `
    import { openSync } from 'node:fs'
    import { tryLock, tryFcntlLock } from ${JSON.stringify(new URL('lock.ts', import.meta.url).href)}
    const fd = openSync(${JSON.stringify(path)}, 'a')
    console.log(${call})
    process.stdin.resume()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [answer] = (await once(child.stdout, 'data')) as [Buffer]
  t.equal(String(answer), 'true\n')
  return async () => {
    child.stdin.end()
    await once(child, 'exit')
  }
}

t.test('tryLock() and waitLock() against another process', async (t) => {
  const release = await holder(`tryLock(fd, 'exclusive')`)
  const fd = openSync(path, 'a')
  t.equal(tryLock(fd, 'shared'), false)
  t.equal(tryLock(fd, 'exclusive'), false)
  const other = openSync(path, 'a')
  const controller = new AbortController()
  const aborted = waitLock(other, 'shared', controller.signal)
  controller.abort()
  await t.rejects(aborted, { name: 'AbortError' })
  closeSync(other)
  const locked = waitLock(fd, 'exclusive')
  await release()
  await locked
  const second = openSync(path, 'a')
  t.equal(tryLock(second, 'shared'), false)
  unlock(fd)
  t.equal(tryLock(second, 'shared'), true)
  t.equal(tryLock(fd, 'shared'), true)
  closeSync(fd)
  closeSync(second)
})

t.test('tryFcntlLock() against another process', async (t) => {
  const release = await holder(`tryFcntlLock(fd, 'exclusive')`)
  const fd = openSync(path, 'r+')
  t.equal(tryFcntlLock(fd, 'shared'), false)
  await release()
  t.equal(tryFcntlLock(fd, 'exclusive'), true)
  fcntlUnlock(fd)
  closeSync(fd)
})

t.test('a descriptor that is not open', async (t) => {
  t.throws(() => tryLock(99_999, 'shared'), { code: 'EBADF', syscall: 'flock' })
  await t.rejects(waitLock(99_999, 'shared'), { code: 'EBADF' })
})
