import { captureLog } from '@posthorn/log/capture-log'
import { formatQueueId, parseQueueId, renameForInode } from '@posthorn/queue/queue-id'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import t from 'tap'
import { actOnMessage } from './message-actions.ts'
import { parsePostsuperOptions } from './postsuper-options.ts'
import { purgeSpares } from './purge-spares.ts'
import { actOnAll, repairQueues, DEFAULT_QUEUES } from './queue-pass.ts'
import { NameRepair } from './repair-names.ts'

process.chdir(t.testdir({}))
const layout = new QueueLayout()
const WEEK_AGO = Date.now() / 1000 - 8 * 24 * 3600

function put(path: string, mode = 0o700): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, 'x')
  chmodSync(path, mode)
  return path
}

/** A message under a name that fits its inode number. */
function putMessage(queue: string, microseconds = 0xabcde): string {
  const path = put(`${queue}/new`)
  const id = formatQueueId({ seconds: 1, microseconds }, statSync(path).ino, false)
  renameSync(path, `${queue}/${id}`)
  return id
}

function emptyQueues(): void {
  for (const queue of [...DEFAULT_QUEUES, 'trace']) mkdirSync(queue, { recursive: true })
}

async function repair(options: { purges?: boolean; repairsLongIds?: boolean }, using = layout) {
  const progress = new NameRepair(using, options.repairsLongIds ?? false)
  const log = captureLog()
  try {
    await repairQueues(
      using,
      DEFAULT_QUEUES,
      { purges: false, repairs: true, repairsLongIds: false, ...options },
      progress,
    )
  } finally {
    log.restore()
  }
  return { renamed: progress.renamedCount, lines: log.lines }
}

t.test('repairQueues() purges what has no owner', async (t) => {
  emptyQueues()
  const old = put('incoming/123.45', 0o600)
  utimesSync(old, WEEK_AGO, WEEK_AGO)
  const young = put('incoming/124.45', 0o600)
  const done = `hold/${putMessage('hold')}`
  utimesSync(done, WEEK_AGO, WEEK_AGO)
  symlinkSync('/etc/passwd', 'hold/link')
  mkdirSync('active/alien')
  const { lines } = await repair({ purges: true })
  t.notOk(existsSync(old))
  t.notOk(existsSync('active/alien'))
  t.same(readdirSync('hold'), [done.slice(5)])
  t.ok(existsSync(young), 'somebody may still write to it')
  t.same(
    lines,
    [`bogus file name: ${young}`].map((text) => `warning: ${text}`),
  )
  t.equal(await actOnAll(layout, DEFAULT_QUEUES, 'delete'), 1)
})

t.test('purgeSpares() removes what a crash left, and no spare file', (t) => {
  purgeSpares()
  mkdirSync('spare')
  for (const name of ['5', '5.77', '1795.77', '1796.77']) writeFileSync(`spare/${name}`, '')
  for (const name of ['5', '5.77', '1795.77']) utimesSync(`spare/${name}`, WEEK_AGO, WEEK_AGO)
  purgeSpares()
  t.same(readdirSync('spare').sort(), ['1796.77', '5'])
  t.end()
})

t.test('repairQueues() makes names match inode numbers, logs first', async (t) => {
  put('deferred/abcde99')
  put('defer/a/abcde99', 0o600)
  put('trace/abcde99', 0o600)
  put('hold/4jWWHL3CqMzJPmP')
  put('hold/short')
  const settled = putMessage('hold')
  const inode = (path: string): string => statSync(path).ino.toString(16).toUpperCase()
  const first = `abcde${inode('deferred/abcde99')}`
  const second = `6ECBF${inode('hold/4jWWHL3CqMzJPmP')}`
  const third = `short${inode('hold/short')}`
  const { renamed } = await repair({})
  t.equal(renamed, 3)
  t.same(readdirSync('deferred/a'), [first])
  t.same(readdirSync('defer/a'), [first])
  t.same(readdirSync('trace'), [first])
  t.same(readdirSync('hold').sort(), [settled, second, third].sort())
  t.same(await repair({}), { renamed: 0, lines: [] }, 'and then there is nothing to do')
  await actOnAll(layout, [...DEFAULT_QUEUES, 'trace'], 'delete')
})

t.test('repairQueues() finishes what was interrupted, and moves to the right place', async (t) => {
  const id = putMessage('hold')
  renameSync(`hold/${id}`, `hold/${id}#FIX`)
  put(`bounce/${id}#FIX`, 0o600)
  const other = putMessage('deferred', 0x12345)
  mkdirSync('deferred/9/8', { recursive: true })
  renameSync(`deferred/${other}`, `deferred/9/8/${other}`)
  await repair({})
  t.same(readdirSync('hold'), [id])
  t.same(readdirSync('bounce'), [id])
  t.same(readdirSync('deferred/1'), [other])
  t.notOk(existsSync('deferred/9/8'))
  const long = new QueueLayout({ longIds: true })
  put('active/4jWWHL3CqMzJPmP')
  t.equal((await repair({}, long)).renamed, 0, 'a long id is good for -s')
  t.equal((await repair({ repairsLongIds: true }, long)).renamed, 1, 'but not for -S')
  const [renamed = ''] = readdirSync('active')
  const { ino } = statSync(`active/${renamed}`)
  t.equal(renamed, renameForInode(parseQueueId('4jWWHL3CqMzJPmP'), ino, true))
  t.match(renamed, /^4jWWHL3CqMz/)
  await actOnAll(layout, DEFAULT_QUEUES, 'delete')
})

t.test('actOnMessage() does what is asked to complete messages, once', (t) => {
  const id = parseQueueId(putMessage('active'))
  for (const log of ['bounce', 'defer/A', 'trace']) put(`${log}/${id}`, 0o600)
  const act = (action: Parameters<typeof actOnMessage>[1], queue: 'active' | 'hold' | 'maildrop') =>
    actOnMessage(layout, action, [queue], id)
  t.notOk(act('hold', 'hold'))
  t.ok(act('expire', 'active'))
  t.notOk(act('expire', 'active'))
  t.equal(statSync(`active/${id}`).mode & 0o777, 0o710)
  t.ok(act('hold', 'active'))
  t.notOk(act('release', 'active'))
  t.ok(act('requeue', 'hold'))
  t.ok(Date.now() - statSync(`maildrop/${id}`).mtimeMs < 60_000)
  t.notOk(act('hold', 'maildrop'), 'submissions cannot be held')
  chmodSync(`maildrop/${id}`, 0o600)
  t.notOk(act('delete', 'maildrop'), 'somebody writes to it')
  chmodSync(`maildrop/${id}`, 0o744)
  t.ok(act('delete', 'maildrop'))
  t.notOk(existsSync(`trace/${id}`))
  t.notOk(existsSync(`defer/A/${id}`))
  t.end()
})

t.test('actOnAll() counts messages', async (t) => {
  const log = captureLog()
  for (let count = 0; count < 5; count += 1) putMessage('deferred', count)
  put('deferred/a.b')
  t.equal(await actOnAll(layout, DEFAULT_QUEUES, 'expire'), 5)
  t.equal(await actOnAll(layout, DEFAULT_QUEUES, 'expire'), 0)
  t.equal(await actOnAll(layout, ['maildrop', 'hold'], 'hold'), 0)
  t.equal(await actOnAll(layout, DEFAULT_QUEUES, 'hold'), 5)
  t.equal(await actOnAll(layout, DEFAULT_QUEUES, 'release'), 5)
  t.equal(await actOnAll(layout, DEFAULT_QUEUES, 'requeue'), 5)
  t.equal(readdirSync('maildrop').length, 5)
  t.equal(await actOnAll(layout, DEFAULT_QUEUES, 'delete'), 6)
  log.restore()
  t.equal(log.lines.length, 5, 'every walk over the directory warns of it')
  t.match(log.lines[0], 'bogus file name: deferred/a.b')
})

t.test(
  'actOnAll() leaves logs of other directories, and clears away what is no file',
  async (t) => {
    const log = captureLog()
    const id = putMessage('deferred', 9)
    put(layout.path('defer', id))
    put(layout.path('trace', id))
    t.equal(await actOnAll(layout, ['trace'], 'delete'), 0)
    t.ok(existsSync(layout.path('defer', id)), 'the message still has its log')
    symlinkSync('/etc/passwd', 'active/ABCDEF1')
    t.equal(await actOnAll(layout, DEFAULT_QUEUES, 'expire'), 1)
    t.notOk(lstatSync('active/ABCDEF1', { throwIfNoEntry: false }), 'the link is gone')
    t.equal(await actOnAll(layout, DEFAULT_QUEUES, 'delete'), 1)
    t.notOk(existsSync(layout.path('defer', id)))
    log.restore()
    t.same(log.lines, [])
  },
)

t.test('parsePostsuperOptions() keeps the order of actions', (t) => {
  t.match(parsePostsuperOptions([]), { purges: true, repairs: true, requests: [], queues: [] })
  t.match(parsePostsuperOptions(['-d', 'A', '-f', '-', 'hold']), {
    purges: false,
    repairs: false,
    requests: [
      { actions: ['delete'], target: 'A' },
      { actions: ['expire', 'release'], target: '-' },
    ],
    queues: ['hold'],
  })
  t.match(parsePostsuperOptions(['-S']), { purges: false, repairs: true, repairsLongIds: true })
  t.end()
})
