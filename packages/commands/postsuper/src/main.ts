/**
 * postsuper(1) - maintenance of the queue, for the superuser
 *
 * Repairs come first; if they changed queue ids, the ids on the command line may mean other messages
 * now, and nothing more is done. Then the actions in their order, then one summary line for each kind.
 * Runs as root and becomes mail_owner at once; when mail_owner calls it, no root is needed (ours).
 * Exit status: 0, also when an id was not found; 1 for usage, a failed step, or a refused action.
 * Source: Postfix 3.7 postsuper(1).
 */
import { OptionError } from '@posthorn/config/getopt'
import { MainConfig } from '@posthorn/config/main-config'
import { errorReason } from '@posthorn/native/system-error'
import { fatal, flushLog, log, openLog } from '@posthorn/log/log'
import { becomeUser, findUser } from '@posthorn/native/user'
import { findQueueId } from '@posthorn/queue/queue-id'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { createInterface } from 'node:readline'
import { ACTION_TEXTS, actOnMessage } from './message-actions.ts'
import {
  parsePostsuperOptions,
  USAGE,
  type ActionRequest,
  type MessageAction,
  type PostsuperOptions,
} from './postsuper-options.ts'
import { purgeSpares } from './purge-spares.ts'
import {
  actOnAll,
  DEFAULT_QUEUES,
  findSuperQueue,
  isMessageQueue,
  repairQueues,
  type SuperQueue,
} from './queue-pass.ts'
import { NameRepair } from './repair-names.ts'

const SUMMARY_ORDER = ['requeue', 'delete', 'expire', 'hold', 'release'] as const

const HELP = `Usage: postsuper [-psSv] [-c config_dir] [-d|-e|-f|-h|-H|-r queue_id]... [queue...]

Maintains the queue. Instead of a queue id: ALL, or - to read ids from standard input.
Without -p, -s, -S or an action: -p and -s. Without a queue: all but trace.

Options:
  -c config_dir     use the main.cf in this directory
  -d queue_id       delete
  -e queue_id       give up: return to the sender at the next attempt
  -f queue_id       -e, and -H when it is on hold
  -h queue_id       put on hold
  -H queue_id       release from hold
  -p                delete incomplete files that are older than a week
  -r queue_id       requeue: send through cleanup once more
  -s                repair names and places of queue files
  -S                the same, long queue ids included
  -v                log more
  --help            show this text
`

function readOptions(): PostsuperOptions {
  try {
    return parsePostsuperOptions(process.argv.slice(2))
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    process.stderr.write(`postsuper: ${error.message}\n`)
    fatal(USAGE)
  }
}

/** Every file in the queue belongs to mail_owner, and so do those that we make. */
function dropPrivileges(config: MainConfig): void {
  const name = config.text('mail_owner')
  const owner = findUser(name) ?? fatal(`unknown user name: mail_owner = ${name}`)
  const uid = process.getuid?.()
  if (uid === owner.uid) return
  if (uid !== 0) fatal('use of this command is reserved for the superuser')
  becomeUser(owner)
}

function plural(count: number): string {
  return `${count} message${count === 1 ? '' : 's'}`
}

async function repair(
  layout: QueueLayout,
  queues: readonly SuperQueue[],
  options: PostsuperOptions,
): Promise<void> {
  const progress = new NameRepair(layout, options.repairsLongIds)
  let isComplete = false
  process.once('exit', () => {
    if (isComplete || progress.renamedCount === 0) return
    log.warning('OPERATION INCOMPLETE -- RERUN COMMAND TO FIX THE QUEUE FIRST')
    flushLog()
  })
  await repairQueues(layout, queues, options, progress)
  if (options.purges) purgeSpares()
  if (progress.renamedCount > 0) {
    if (options.requests.some(({ target }) => target !== 'ALL')) {
      log.error('QUEUE FILE NAMES WERE CHANGED TO MATCH INODE NUMBERS')
      fatal('CHECK YOUR QUEUE IDS AND RE-ISSUE THE COMMAND')
    }
    log.info(`Renamed to match inode number: ${plural(progress.renamedCount)}`)
    log.warning('QUEUE FILE NAMES WERE CHANGED TO MATCH INODE NUMBERS')
  }
  isComplete = true
}

/** Standard input can be read once: for a second `-` there is nothing left. */
async function* idsOf(target: string): AsyncGenerator<string, void, undefined> {
  if (target !== '-') yield target
  else if (!process.stdin.readableEnded) {
    yield* createInterface({ input: process.stdin, crlfDelay: Infinity })
  }
}

async function act(
  layout: QueueLayout,
  queues: readonly SuperQueue[],
  { actions, target }: ActionRequest,
  count: (action: MessageAction, messages: number) => void,
): Promise<void> {
  if (target === 'ALL') {
    for (const action of actions) count(action, await actOnAll(layout, queues, action))
    return
  }
  for (const action of actions) count(action, 0)
  const messageQueues = queues.filter(isMessageQueue)
  for await (const text of idsOf(target)) {
    const id = findQueueId(text)
    if (id === undefined) {
      log.warning(`invalid mail queue id: ${text}`)
      continue
    }
    for (const action of actions) {
      if (!actOnMessage(layout, action, messageQueues, id)) continue
      log.info(`${id}: ${ACTION_TEXTS[action][0]}`)
      count(action, 1)
    }
  }
}

async function run(): Promise<void> {
  if (process.argv[2] === '--help') {
    process.stdout.write(HELP)
    return
  }
  const options = readOptions()
  if (options.configDirectory !== undefined) process.env['MAIL_CONFIG'] = options.configDirectory
  const config = MainConfig.load()
  openLog({ program: 'postsuper', config, stderr: true, isVerbose: options.isVerbose })
  const directory = config.text('queue_directory')
  try {
    process.chdir(directory)
  } catch (error) {
    fatal(`chdir ${directory}: ${errorReason(error)}`)
  }
  dropPrivileges(config)
  process.umask(0o077)
  const named = options.queues.map(
    (name) => findSuperQueue(name) ?? fatal(`invalid directory name: ${name}`),
  )
  const queues = named.length > 0 ? named : DEFAULT_QUEUES
  const layout = QueueLayout.fromConfig(config)
  if (options.purges || options.repairs) await repair(layout, queues, options)
  const counts = new Map<MessageAction, number>()
  for (const request of options.requests) {
    await act(layout, queues, request, (action, messages) => {
      counts.set(action, (counts.get(action) ?? 0) + messages)
    })
  }
  for (const action of SUMMARY_ORDER) {
    const count = counts.get(action)
    if (count !== undefined) log.info(`${ACTION_TEXTS[action][1]}: ${plural(count)}`)
  }
}

openLog({ program: 'postsuper', stderr: true })
for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const) {
  // eslint-disable-next-line n/no-process-exit -- the exit hook of repair() says what is left undone
  process.once(signal, () => process.exit(1))
}
run().catch((error: unknown) => {
  fatal(error instanceof Error ? error.message : String(error))
})
