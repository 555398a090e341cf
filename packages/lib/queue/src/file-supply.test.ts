import { closeSync, fstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { waitFor } from '@posthorn/testing/wait-for'
import type { PreparedFile } from '@posthorn/native/spare'
import { execa } from 'execa'
import t from 'tap'
import { FileSupply } from './file-supply.ts'
import { SpareFiles } from './spare-files.ts'

process.chdir(t.testdir({ incoming: {}, active: {} }))

const prepared = (): string[] => readdirSync('spare').filter((name) => name.includes('.'))

t.test('without the directory files are created and removed as ever', async (t) => {
  const supply = new FileSupply()
  const file = supply.take()
  t.match(file.path, /^incoming\/\d+\.\d+$/)
  t.equal(file.inode, statSync(file.path).ino)
  closeSync(file.fd)
  const spares = new SpareFiles()
  t.notOk(spares.isAvailable)
  await spares.retire(file.path)
  t.same(readdirSync('incoming'), [])
})

t.test('as many files are in hand as were needed at once', async (t) => {
  mkdirSync('spare')
  const supply = new FileSupply()
  const takeAndClose = (): PreparedFile => {
    const file = supply.take()
    closeSync(file.fd)
    return file
  }
  t.match(takeAndClose().path, /^incoming\//)
  await waitFor(() => takeAndClose().path.startsWith('spare/'), 'a file from the hand')
  const file = supply.take()
  t.equal(fstatSync(file.fd).ino, file.inode)
  t.equal(statSync(file.path).ino, file.inode)
  closeSync(file.fd)
  for (let count = 0; count < 100; count += 1) takeAndClose()
  const taken = prepared().length
  await waitFor(() => {
    const { path } = takeAndClose()
    return path.startsWith('spare/') && prepared().length >= taken + 8
  }, 'more of them')
})

t.test('the files of messages that are gone come back', async (t) => {
  const spares = new SpareFiles()
  const inodes = new Set<number>()
  for (let count = 0; count < 1100; count += 1) {
    writeFileSync(`active/${count}`, 'text', { mode: 0o700 })
    inodes.add(statSync(`active/${count}`).ino)
    await spares.retire(`active/${count}`)
  }
  t.equal(
    readdirSync('spare').filter((name) => !name.includes('.')).length,
    1024,
    'a ring: the oldest make room',
  )
  const supply = new FileSupply()
  closeSync(supply.take().fd)
  await waitFor(() => {
    const file = supply.take()
    closeSync(file.fd)
    return inodes.has(file.inode) && statSync(file.path).size === 0
  }, 'a file used again')
})

t.test('a process gives back what it has in hand', async (t) => {
  // what the tests above have ordered may still come, with the number of this process
  const others = (): string[] => prepared().filter((name) => !name.endsWith(`.${process.pid}`))
  const source = `
    import { readdirSync } from 'node:fs'
    import { FileSupply } from ${JSON.stringify(new URL('file-supply.ts', import.meta.url).href)}
    new FileSupply().take()
    const wait = setInterval(() => {
      if (readdirSync('spare').filter((name) => name.endsWith('.' + process.pid)).length < 2) return
      clearInterval(wait)
    }, 5)
    console.log(process.pid)`
  // env -i: no hooks of the test runner
  const node = [process.execPath, '--input-type=module', '-e', source]
  const { stdout: pid } = await execa('/usr/bin/env', ['-i', ...node])
  t.match(pid, /^\d+$/)
  t.same(others(), [])
})
