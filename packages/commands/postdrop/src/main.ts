/**
 * postdrop(1) - takes a message from a local user into the maildrop directory
 *
 * Speaks the postdrop protocol on standard input and output: announces a queue id, reads records, stores them, answers
 * with a status. Accepts nothing it does not check (submission.ts): the user may be anybody. End of input before the END
 * record, and the signals HUP, INT, QUIT and TERM, remove the file.
 *
 * Set-gid by way of lib/native/setgid/launcher.c: the effective group, which opens maildrop/ and public/, is not the
 * user's. So a configuration directory of the user's is refused unless the default main.cf lists it.
 *
 * Exit status: that of the reply; 1 for input that is no submission, and for a user who may not submit.
 * Source: Postfix 3.7 postdrop(1).
 */
import {
  hasBorrowedRights,
  requireAuthorizedDirectory,
  selectConfigDirectory,
} from '@posthorn/config/config-directory'
import { OptionError, parseOptions, type CommandLine } from '@posthorn/config/getopt'
import { ConfigError, MainConfig } from '@posthorn/config/main-config'
import { fatal, flushLog, log, openLog } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { storeSubmission } from './store-submission.ts'
import { SubmitPermission } from './submit-permission.ts'

const HELP = `Usage: postdrop [-v] [-c config_dir]

Reads a message in the postdrop protocol from standard input. For sendmail, not for people.

Options:
  -c config_dir     use the main.cf in this directory
  -r                accepted and ignored
  -v                log more (root only)
  --help            show this text
`

function readOptions(): CommandLine {
  const argv = process.argv.slice(2).map((word) => Buffer.from(word).toString('latin1'))
  try {
    return parseOptions(argv, 'c:rv')
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    process.stderr.write(`postdrop: ${error.message}\n`)
    fatal('usage: postdrop [-c config_dir] [-v]')
  }
}

async function run(): Promise<void> {
  if (process.argv[2] === '--help') {
    process.stdout.write(HELP)
    return
  }
  const { options } = readOptions() // words behind them mean nothing, as in Postfix
  const directory = options.findLast(({ letter }) => letter === 'c')?.value
  if (directory !== undefined) process.env['MAIL_CONFIG'] = directory
  if (hasBorrowedRights()) requireAuthorizedDirectory(selectConfigDirectory())
  const config = MainConfig.load()
  const isVerbose = process.getuid?.() === 0 && options.some(({ letter }) => letter === 'v')
  openLog({ program: 'postdrop', config, stderr: true, isVerbose })
  const uid = process.getuid?.() ?? 0
  const permission = new SubmitPermission(config, uid)
  if (!(await permission.maySubmit())) {
    fatal(`User ${permission.userName}(${uid}) is not allowed to submit mail`)
  }
  const queueDirectory = config.text('queue_directory')
  try {
    process.chdir(queueDirectory)
  } catch (error) {
    fatal(`chdir ${queueDirectory}: ${errorReason(error)}`)
  }
  const status = await storeSubmission(config, uid, permission)
  flushLog()
  // The client may keep its end open until we are gone: leave as soon as the answer is out.
  process.stdout.write('', () => {
    // eslint-disable-next-line n/no-process-exit -- a command ends here
    process.exit(status)
  })
}

openLog({ program: 'postdrop', stderr: true })
// A client that is gone does not want the answer.
process.stdout.on('error', () => {
  log.debug('client is gone')
})
run().catch((error: unknown) => {
  if (error instanceof ConfigError) for (const line of error.warnings) log.error(line)
  fatal(error instanceof Error ? error.message : String(error))
})
