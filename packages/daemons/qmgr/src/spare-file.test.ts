import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { waitFor } from '@posthorn/testing/wait-for'
import t from 'tap'
import { QmgrFixture } from './qmgr-fixture.ts'

t.test('the file of a message that is done is emptied and left for cleanup(8)', async (t) => {
  const directory = temporaryDirectory(t)
  mkdirSync(join(directory, 'spare'))
  const qmgr = new QmgrFixture(t, directory)
  qmgr.agent('smtp')
  qmgr.send('A1')
  const { ino } = statSync('incoming/A1', { throwIfNoEntry: false }) ?? statSync('active/A1')
  await waitFor(() => qmgr.log.lines.includes('A1: removed'), 'the removal')
  t.same(qmgr.where('A1'), [])
  const [name = ''] = readdirSync('spare')
  t.match(name, /^\d+$/)
  t.match(statSync(`spare/${name}`), { ino, size: 0 })
  t.equal(statSync(`spare/${name}`).mode & 0o7777, 0o600)
})
