/**
 * postqueue(1) - shows the queue, or asks for its delivery now
 *
 * For everybody whom authorized_mailq_users and authorized_flush_users name. Talks to showq(8),
 * flush(8), qmgr(8) and pickup(8); never touches the queue itself. Set-gid, as postdrop(1) is: only its group may
 * enter public/.
 * Exit status: 0, or 69 for whatever failed.
 * Source: Postfix 3.7 postqueue(1).
 */
import {
  hasBorrowedRights,
  requireAuthorizedDirectory,
  selectConfigDirectory,
} from '@posthorn/config/config-directory'
import { OptionError } from '@posthorn/config/getopt'
import { ConfigError, MainConfig } from '@posthorn/config/main-config'
import { log, openLog } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { requireAuthorization } from './authorization.ts'
import { fail } from './fail.ts'
import { flushAll, flushMessage, flushSite } from './flush-queue.ts'
import { listQueue } from './list-queue.ts'
import { parsePostqueueOptions, USAGE, type PostqueueOptions } from './postqueue-options.ts'
import { formatQueueJson } from './queue-json.ts'
import { QueueTable } from './queue-table.ts'

const HELP = `Usage: postqueue [-v] [-c config_dir] -f | -i queue_id | -j | -p | -s site

Options:
  -c config_dir     use the main.cf in this directory
  -f                try to deliver everything that is deferred, now
  -i queue_id       try to deliver this deferred message now
  -j                list the queue, one line of JSON for each message
  -p                list the queue as a table, like mailq
  -s site           try to deliver what waits for this destination (see fast_flush_domains)
  -v                log more
  --help            show this text
`

function readOptions(): PostqueueOptions {
  const argv = process.argv.slice(2).map((word) => Buffer.from(word).toString('latin1'))
  try {
    return parsePostqueueOptions(argv)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    if (error.message !== '') process.stderr.write(`postqueue: ${error.message}\n`)
    fail(USAGE)
  }
}

async function print(text: string): Promise<void> {
  if (process.stdout.write(text, 'latin1')) return
  await new Promise((resolve) => process.stdout.once('drain', resolve))
}

async function printTable(config: MainConfig): Promise<void> {
  const table = new QueueTable(config.boolean('enable_long_queue_ids'))
  for await (const entry of listQueue(config)) await print(table.add(entry))
  await print(table.end())
}

async function printJson(config: MainConfig): Promise<void> {
  const allowsUtf8 = config.boolean('smtputf8_enable')
  for await (const entry of listQueue(config)) await print(formatQueueJson(entry, allowsUtf8))
}

async function run(): Promise<void> {
  if (process.argv[2] === '--help') {
    process.stdout.write(HELP)
    return
  }
  const { task, configDirectory, isVerbose } = readOptions()
  if (configDirectory !== undefined) process.env['MAIL_CONFIG'] = configDirectory
  if (hasBorrowedRights()) requireAuthorizedDirectory(selectConfigDirectory())
  const config = MainConfig.load()
  openLog({ program: 'postqueue', config, stderr: true, isVerbose })
  const directory = config.text('queue_directory')
  try {
    process.chdir(directory)
  } catch (error) {
    fail(`chdir ${directory}: ${errorReason(error)}`)
  }
  const lists = task.kind === 'table' || task.kind === 'json'
  await requireAuthorization(config, lists ? 'authorized_mailq_users' : 'authorized_flush_users')
  switch (task.kind) {
    case 'flush':
      await flushAll(config)
      return
    case 'flushMessage':
      await flushMessage(config, task.id)
      return
    case 'flushSite':
      await flushSite(config, task.site)
      return
    case 'table':
      await printTable(config)
      return
    case 'json':
      await printJson(config)
  }
}

openLog({ program: 'postqueue', stderr: true })
// Whoever reads us (head, less) may have seen enough.
// eslint-disable-next-line n/no-process-exit -- nobody is left to tell
process.stdout.on('error', () => process.exit(0))
run().catch((error: unknown) => {
  if (error instanceof ConfigError) for (const line of error.warnings) log.error(line)
  fail(error instanceof Error ? error.message : String(error))
})
