import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import { makeFifo } from '@posthorn/native/user'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import t from 'tap'
import { readTrustedFile, type ReadOptions } from './read-trusted-file.ts'

const me = process.getuid?.() ?? 0

/** The text, or what is wrong with the file. */
async function say(path: string, options: Partial<ReadOptions> = {}): Promise<string> {
  try {
    const file = await readTrustedFile(path, { reader: me, mustBeOwn: true, ...options })
    return file.kind === 'read' ? file.text : file.fault
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

t.test('readTrustedFile() reads what its user could read, and waits for nobody', async (t) => {
  const directory = temporaryDirectory(t)
  const path = `${directory}/file`
  writeFileSync(path, 'na\xefve\n', { encoding: 'latin1', mode: 0o600 })
  t.equal(await say(path), 'na\xefve\n')
  t.equal(await say(path, { reader: me + 1 }), me === 0 ? 'EACCES' : `has bad owner uid ${me}`)
  t.equal(await say(path, { reader: me + 1, mustBeOwn: false }), 'EACCES')
  t.equal(await say(path, { reader: undefined, mustBeOwn: false }), 'na\xefve\n')
  symlinkSync(path, `${directory}/link`)
  t.equal(await say(`${directory}/link`), 'ELOOP')
  t.equal(await say(`${directory}/link`, { mustBeOwn: false }), 'na\xefve\n')
  makeFifo(`${directory}/fifo`, 0o600)
  t.equal(await say(`${directory}/fifo`), 'is not a regular file')
  t.equal(await say(directory), 'is not a regular file')
  t.equal(await say(`${directory}/none`), 'ENOENT')
  chmodSync(path, 0o666)
  t.equal(await say(path), 'is world writable')
  writeFileSync(path, 'x'.repeat(1024 * 1024 + 1))
  chmodSync(path, 0o600)
  t.match(await say(path), 'octets, which is too much')
})
