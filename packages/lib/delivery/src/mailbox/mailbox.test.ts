import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fc from 'fast-check'
import t from 'tap'
import { captureLog } from '@posthorn/log/capture-log'
import { tryFcntlLock } from '@posthorn/native/lock'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { deliverToMailbox } from './deliver-to-mailbox.ts'
import { mailboxHead } from './mailbox-head.ts'
import { HelperPool } from './helper-pool.ts'
import { isMailboxHelper, runMailboxHelper } from './mailbox-helper.ts'
import type { MailboxJob, MailboxResult } from './mailbox-job.ts'
import { quoteFromLines } from './quote-from-lines.ts'

const lockMode = 'hold-lock'
const uid = process.getuid?.() ?? 0
const gid = process.getgid?.() ?? 0

function job(path: string, given: Partial<MailboxJob> = {}): MailboxJob {
  return {
    path,
    uid,
    gid,
    checksOwner: 1,
    isNamedFile: 0,
    sizeLimitBytes: 0,
    mailboxFault: '5.2.0',
    methods: 'fcntl dotlock',
    attempts: 2,
    delaySeconds: 0.01,
    staleSeconds: 500,
    head: 'Return-Path: <s@x.test>\n',
    ...given,
  }
}

async function* text(...chunks: string[]): AsyncGenerator<string, void, undefined> {
  for (const chunk of chunks) yield await Promise.resolve(chunk)
}

async function* broken(): AsyncGenerator<string, void, undefined> {
  yield await Promise.resolve('Subject: x\n')
  throw new Error('cannot read')
}

function failure(result: MailboxResult): string {
  return result.kind === 'failed' ? `${result.dsn} ${result.reason}` : result.kind
}

function registerTests(): void {
  t.test('mailboxHead() is as Postfix writes it', (t) => {
    const head = {
      sender: 'se nder@x.test',
      originalRecipient: 'o@x.test',
      deliveredTo: 'r@x.test',
    }
    const at = new Date(2026, 10, 1, 2, 5, 4).getTime()
    t.equal(
      mailboxHead(head, true, at),
      'From "se nder"@x.test  Sun Nov  1 02:05:04 2026\n' +
        'Return-Path: <"se nder"@x.test>\nX-Original-To: o@x.test\nDelivered-To: r@x.test\n',
    )
    t.equal(
      mailboxHead({ sender: '', originalRecipient: '', deliveredTo: '' }, true, at),
      'From MAILER-DAEMON  Sun Nov  1 02:05:04 2026\nReturn-Path: <>\n',
    )
    t.equal(mailboxHead(head, false, at).split('\n')[0], 'Return-Path: <"se nder"@x.test>')
    t.end()
  })

  t.test('quoteFromLines() quotes the same for any chunking', async (t) => {
    const collect = async (chunks: readonly string[]): Promise<string> => {
      let all = ''
      for await (const chunk of quoteFromLines(text(...chunks))) all += chunk
      return all
    }
    t.equal(
      await collect(['From a\nFrom b\n>From c\nx From d\nFro\nFrom']),
      '>From a\n>From b\n>From c\nx From d\nFro\nFrom',
    )
    const pieces = fc.array(fc.constantFrom('From ', '\n', 'F', 'rom ', 'x', '>'), {
      maxLength: 30,
    })
    await fc.assert(
      fc.asyncProperty(pieces, async (chunks) => {
        const whole = chunks.join('')
        return (await collect(chunks)) === whole.replaceAll(/^From /gm, '>From ')
      }),
    )
  })

  t.test('deliverToMailbox() into a maildir', async (t) => {
    const directory = temporaryDirectory(t)
    const path = `${directory}/deep/er/`
    for (let count = 0; count < 3; count += 1) {
      t.same(await deliverToMailbox(job(path), text('Subject: x\n', '\nFrom me\n')), {
        kind: 'delivered',
        warnings: [],
      })
    }
    const names = readdirSync(`${path}new`)
    t.equal(names.length, 3)
    const [name = ''] = names
    t.match(name, /^\d+\.V[0-9a-f]+I[0-9a-f]+M\d+\.[^/:]+$/)
    t.equal(
      readFileSync(`${path}new/${name}`, 'latin1'),
      'Return-Path: <s@x.test>\nSubject: x\n\nFrom me\n',
    )
    t.equal(statSync(`${path}new/${name}`).mode & 0o777, 0o600)
    t.equal(statSync(`${path}cur`).mode & 0o777, 0o700)
    t.same(readdirSync(`${path}tmp`), [])
  })

  t.test('deliverToMailbox() into a maildir: limit, broken text, no directory', async (t) => {
    const directory = temporaryDirectory(t)
    const path = `${directory}/m/`
    const limited = job(path, { sizeLimitBytes: 40 })
    t.equal(
      failure(await deliverToMailbox(limited, text('x'.repeat(40)))),
      '5.2.2 error writing message: File too large',
    )
    await t.rejects(deliverToMailbox(job(path), broken()), { message: 'cannot read' })
    t.same(readdirSync(`${path}tmp`), [])
    t.same(readdirSync(`${path}new`), [])
    writeFileSync(`${directory}/file`, '')
    t.match(
      failure(await deliverToMailbox(job(`${directory}/file/m/`), text('x'))),
      /^5\.2\.0 create maildir file .*\/file\/m\/tmp\/\d+\.P\d+Q\d+\.\S+: Not a directory$/,
    )
  })

  t.test('deliverToMailbox() appends to an mbox file', async (t) => {
    const path = `${temporaryDirectory(t)}/box`
    const head = 'From s@x.test  Sat Nov 21 02:15:14 2026\n'
    await deliverToMailbox(job(path, { head }), text('Subject: 1\n\nFrom me\n'))
    await deliverToMailbox(job(path, { head }), text('Subject: 2\n\n'))
    t.equal(
      readFileSync(path, 'latin1'),
      `${head}Subject: 1\n\n>From me\n\n${head}Subject: 2\n\n\n`,
    )
    t.equal(statSync(path).mode & 0o777, 0o600)
    t.notOk(existsSync(`${path}.lock`))
  })

  t.test('deliverToMailbox() leaves an mbox file as it was when it fails', async (t) => {
    const path = `${temporaryDirectory(t)}/box`
    writeFileSync(path, 'old\n', { mode: 0o600 })
    await t.rejects(deliverToMailbox(job(path), broken()))
    const limited = job(path, { sizeLimitBytes: 600_000 })
    t.equal(
      failure(await deliverToMailbox(limited, text('x'.repeat(300_000), 'x'.repeat(300_000)))),
      '5.2.2 error writing message: File too large',
    )
    t.equal(readFileSync(path, 'latin1'), 'old\n')
    t.notOk(existsSync(`${path}.lock`))
  })

  t.test('deliverToMailbox(): many deliveries to one mbox file at once', async (t) => {
    const path = `${temporaryDirectory(t)}/box`
    const patient = job(path, { head: 'From \n', methods: 'flock fcntl' })
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) =>
        deliverToMailbox(patient, text(`${index}\n`.repeat(50), `${index}\n`.repeat(50))),
      ),
    )
    const messages = readFileSync(path, 'latin1').split('From \n').slice(1)
    t.equal(messages.length, 20)
    t.ok(messages.every((message) => new Set(message.trim().split('\n')).size === 1))
  })

  t.test('deliverToMailbox() refuses mbox files that are not what they seem', async (t) => {
    const directory = temporaryDirectory(t)
    const tell = async (name: string, given: Partial<MailboxJob> = {}): Promise<string> =>
      failure(await deliverToMailbox(job(`${directory}/${name}`, given), text('x\n')))
    mkdirSync(`${directory}/dir`)
    t.equal(await tell('dir'), '5.2.0 cannot open file: Is a directory')
    writeFileSync(`${directory}/target`, '')
    symlinkSync('target', `${directory}/link`)
    chmodSync(directory, 0o770)
    t.equal(await tell('link'), '5.2.0 file is a symbolic link')
    linkSync(`${directory}/target`, `${directory}/hard`)
    t.equal(await tell('hard'), '5.2.0 file has 2 hard links')
    t.equal(
      await tell('none/box'),
      `5.2.0 unable to create lock file ${directory}/none/box.lock: No such file or directory`,
    )
    t.equal(
      await tell('none/box', { methods: 'fcntl', mailboxFault: '4.2.0' }),
      '4.2.0 cannot create file exclusively: No such file or directory',
    )
    writeFileSync(`${directory}/other`, '', { mode: 0o600 })
    t.equal(
      await tell('other', { uid: uid + 1 }),
      `4.2.0 destination ${directory}/other is not owned by recipient`,
    )
    t.equal(await tell('other', { uid: uid + 1, checksOwner: 0 }), 'delivered')
    t.equal(readFileSync(`${directory}/target`, 'latin1'), '')
  })

  t.test('deliverToMailbox() to a file that an alias names', async (t) => {
    const directory = temporaryDirectory(t)
    const named = (name: string): MailboxJob => job(`${directory}/${name}`, { isNamedFile: 1 })
    writeFileSync(`${directory}/program`, '', { mode: 0o700 })
    t.match(await deliverToMailbox(named('program'), text('x\n')), {
      dsn: '5.7.1',
      reason: 'file is executable',
    })
    t.equal(readFileSync(`${directory}/program`, 'latin1'), '')
    const lock = `unable to create lock file ${directory}/none/box.lock: No such file or directory`
    t.match(await deliverToMailbox(named('none/box'), text('x\n')), {
      reason: 'cannot create file exclusively: No such file or directory',
      warnings: [lock],
    })
    writeFileSync(`${directory}/held`, '')
    writeFileSync(`${directory}/held.lock`, '')
    t.match(
      await deliverToMailbox(named('held'), text('x\n')),
      { kind: 'failed' },
      'but not a held lock',
    )
  })

  t.test('deliverToMailbox() waits for a dotlock, and removes a stale one', async (t) => {
    const path = `${temporaryDirectory(t)}/box`
    writeFileSync(`${path}.lock`, '')
    t.equal(
      failure(await deliverToMailbox(job(path), text('x\n'))),
      `4.2.0 unable to create lock file ${path}.lock: File exists`,
    )
    utimesSync(`${path}.lock`, 1, 1)
    const impatient = job(path, { staleSeconds: 0 })
    t.same(await deliverToMailbox(impatient, text('x\n')), { kind: 'delivered', warnings: [] })
  })

  t.test('deliverToMailbox() respects an fcntl lock of another process', async (t) => {
    const path = `${temporaryDirectory(t)}/box`
    writeFileSync(path, '', { mode: 0o600 })
    const holder = spawn(process.execPath, [import.meta.filename, lockMode, path], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    t.teardown(() => {
      holder.kill()
    })
    await once(holder.stdout, 'data')
    t.equal(
      failure(await deliverToMailbox(job(path), text('x\n'))),
      '4.2.0 unable to lock for exclusive access: Resource temporarily unavailable',
    )
  })

  t.test('HelperPool delivers in another process', async (t) => {
    const directory = temporaryDirectory(t)
    const pool = new HelperPool([process.execPath, import.meta.filename])
    t.teardown(() => {
      pool.close()
    })
    const identity = { uid, gid, name: '' }
    const large = 'x'.repeat(99_999) + '\n'
    const results = await Promise.all(
      Array.from({ length: 20 }, async (_, index) =>
        pool.deliver(
          identity,
          job(`${directory}/m${index % 3}/`),
          text(...Array.from({ length: index }, () => large)),
        ),
      ),
    )
    t.ok(results.every(({ kind }) => kind === 'delivered'))
    const files = [0, 1, 2].flatMap((index) =>
      readdirSync(`${directory}/m${index}/new`).map((name) => `${directory}/m${index}/new/${name}`),
    )
    t.same(
      files.map((file) => statSync(file).size).sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, index) => index * large.length + 24),
    )
    await t.rejects(pool.deliver(identity, job(`${directory}/m1/`), broken()), {
      message: 'cannot read',
    })
    mkdirSync(`${directory}/dir`)
    const failed = await pool.deliver(identity, job(`${directory}/dir`), text(large, large, large))
    t.equal(failure(failed), '5.2.0 cannot open file: Is a directory')
    t.same(await pool.deliver(identity, job(`${directory}/m1/`), text('x\n')), {
      kind: 'delivered',
      warnings: [],
    })
  })

  t.test('HelperPool: a helper that cannot start leaves the mail deferred', async (t) => {
    const pool = new HelperPool([process.execPath, '-e', 'process.exit(3)', '--'])
    t.teardown(() => {
      pool.close()
    })
    const log = captureLog()
    t.teardown(() => {
      log.restore()
    })
    const result = await pool.deliver({ uid, gid, name: '' }, job('/nowhere/'), text('x\n'))
    t.equal(failure(result), '4.3.0 mailbox helper process failure')
  })

  if (uid !== 0) {
    t.test('deliverToMailbox() says what is missing for a maildir', async (t) => {
      const directory = temporaryDirectory(t)
      chmodSync(directory, 0o500)
      const result = await deliverToMailbox(job(`${directory}/m/`), text('x'))
      t.match(result, {
        kind: 'failed',
        dsn: '5.2.0',
        warnings: [
          /^maildir access problem for UID\/GID=\d+\/\d+: create maildir file .*: Permission denied$/,
        ],
      })
      chmodSync(directory, 0o700)
    })
  }
}

/** Holds an fcntl lock until it is killed. */
function holdLock(path: string): void {
  tryFcntlLock(openSync(path, 'a'), 'exclusive')
  process.stdout.write('locked')
  setTimeout(() => undefined, 60_000)
}

// The other processes of these tests are this file once more.
const args = process.argv.slice(2)
if (isMailboxHelper(args)) runMailboxHelper(args)
else if (args[0] === lockMode) holdLock(args[1] ?? '')
else registerTests()
