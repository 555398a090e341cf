/**
 * bad-configuration - a main.cf or master.cf that makes no sense
 *
 * The fault is named in Postfix's words, with name and value; what is accepted already waits in the queue until the
 * fault is repaired; a system that runs goes on with what it has.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { execa } from 'execa'
import t from 'tap'
import { Site } from './bad-input-site.ts'
import { RawClient } from './raw-client.ts'

interface Attempt {
  readonly status: number | undefined
  readonly output: string
}

/** Runs `postfix WORD`, whatever comes of it. */
async function postfix(site: Site, word: string): Promise<Attempt> {
  const { instance } = site
  const result = await execa(instance.command('postfix'), ['-c', instance.configDirectory, word], {
    reject: false,
    all: true,
  })
  return { status: result.exitCode, output: result.all }
}

/** Appends a line to a configuration file; the function returned takes it away again. */
async function append(site: Site, file: string, line: string): Promise<() => Promise<void>> {
  const path = join(site.instance.configDirectory, file)
  const before = await readFile(path, 'latin1')
  await writeFile(path, `${before}${line}\n`)
  return async () => writeFile(path, before)
}

const lineCount = (text: string): number => text.split('\n').length - 1

t.test('values of the wrong type', async (t) => {
  const site = await Site.start(t)
  await site.probe()
  const faults = [
    ['smtpd_timeout = banana', 'parameter smtpd_timeout: bad time value or unit: banana'],
    ['queue_minfree = -x', 'bad numerical configuration: queue_minfree = -x'],
    ['smtpd_helo_required = maybe', 'bad boolean configuration: smtpd_helo_required = maybe'],
    [
      'smtpd_error_sleep_time = -5s',
      'parameter smtpd_error_sleep_time: bad time value or unit: -5s',
    ],
  ] as const
  const log = await site.log()
  for (const [setting, text] of faults) {
    const repair = await append(site, 'main.cf', setting)
    t.equal((await postfix(site, 'reload')).status, 0, setting)
    // the client waits: master tries again later, with whatever main.cf then says
    const client = await RawClient.connect(site.instance.smtpPort)
    const escaped = text.replace(/[$()*+.?[\]^{|}\\]/g, '\\$&')
    await site.waitForLog(new RegExp(`smtpd\\[\\d+\\]: fatal: ${escaped}$`))
    await repair()
    await client.expect(/^220 /)
    client.close()
  }
  await site.waitForLog(/master\[\d+\]: warning: .*\/smtpd: bad command startup -- throttling/)
  t.equal((await postfix(site, 'status')).status, 0, 'master runs all the time')
  t.equal(lineCount(await site.log()) > lineCount(log), true)
  await site.probe()
  t.same(await site.crashes(/smtpd/), [], 'nobody else was affected')
})

t.test('a fault of the queue manager loses no mail', async (t) => {
  const site = await Site.create(t)
  const repair = await append(site, 'main.cf', 'qmgr_message_active_limit = lots')
  await site.instance.start()
  const client = await SmtpClient.open(site.instance.smtpPort)
  await client.say('EHLO client.test', '250')
  await client.send('a@example.test', ['b@example.com'], 'Subject: waits\r\n\r\n')
  await client.quit()
  await site.waitForLog(
    /qmgr\[\d+\]: fatal: bad numerical configuration: qmgr_message_active_limit = lots$/,
  )
  t.equal((await site.instance.queued('incoming')).length, 1)
  await repair()
  await site.arrival('waits')
  t.same(await site.crashes(/qmgr/), [])
})

t.test('files that cannot be read as configuration', async (t) => {
  const site = await Site.create(t)
  const directory = site.instance.configDirectory
  const masterLines = lineCount(await readFile(join(directory, 'master.cf'), 'latin1'))
  const mainLines = lineCount(await readFile(join(directory, 'main.cf'), 'latin1'))
  const faults = [
    ['short unix n - n -', 'missing "max_proc" field'],
    ['none unix n - n - - ', 'missing "command" field'],
    ['x ipx n - n - - error', 'bad transport type: ipx'],
    ['x unix q - n - - error', 'field "private": bad value: "q"'],
    ['x unix - - n - many error', 'field "max_proc": bad value: "many"'],
    ['x unix - - n zz - error', 'field "wakeup_time": bad value: "zz"'],
    ['x inet y - n - - smtpd', 'inet service cannot be private'],
    ['[::1 inet n - n - - smtpd', 'missing "]" in "[::1"'],
    ['nosuch inet n - n - - smtpd', '127.0.0.1:nosuch: Servname not supported for ai_socktype'],
  ] as const
  for (const [line, text] of faults) {
    const repair = await append(site, 'master.cf', line)
    const { status, output } = await postfix(site, 'start')
    t.equal(status, 1, line)
    const fault = `fatal: ${directory}/master.cf: line ${masterLines + 1}: ${text}`
    t.ok(output.includes(fault) || (await site.log()).includes(fault), fault)
    await repair()
  }
  const repair = await append(site, 'main.cf', 'this is not an assignment')
  const attempt = await postfix(site, 'start')
  t.equal(attempt.status, 1)
  t.match(
    attempt.output,
    `fatal: ${directory}/main.cf, line ${mainLines + 1}: missing '=' after attribute name: ` +
      '"this is not an assignment"',
  )
  await repair()
  await site.instance.start()
  await site.probe()
  for (const [file, line] of [
    ['main.cf', 'this is not an assignment'],
    ['main.cf', 'inet_protocols = ipx'],
  ] as const) {
    const undo = await append(site, file, line)
    t.equal((await postfix(site, 'reload')).status, 1, `no reload with ${line}`)
    await undo()
    await site.probe()
  }
  const undo = await append(site, 'master.cf', 'x ipx n - n - - error')
  await postfix(site, 'reload')
  await site.waitForLog(
    /master\[\d+\]: warning: .*bad transport type: ipx -- keeping the configuration of before/,
  )
  await site.probe()
  await undo()
  t.same(await site.crashes(/fatal: /), [])
})
