/**
 * postlog(1) - logs lines on behalf of scripts
 *
 * The words on the command line are one line; without any, every line of standard input is one. Lines go
 * where Postfix programs log, and to a terminal on standard error. A fatal or panic line pauses for a second,
 * as the programs that really die do. Root may write maillog_file itself while postlogd(8) is down.
 * Source: Postfix 3.7 postlog(1).
 */
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { isatty } from 'node:tty'
import { ConfigError } from '@posthorn/config/config-error'
import { MainConfig } from '@posthorn/config/main-config'
import { fatal, flushLog, logAt, openLog } from '@posthorn/log/log'
import { parsePostlogOptions, UsageError, type PostlogOptions } from './postlog-options.ts'

const PAUSE_MS = 1000

const HELP = `Usage: postlog [-iv] [-c config_dir] [-p priority] [-t tag] [text...]

Logs the text, or each line of standard input.

Options:
  -c config_dir     use the main.cf in this directory
  -i                ignored: the process id is logged in any case
  -p priority       info (default), warn, error, fatal or panic
  -t tag            instead of syslog_name and the program's name
  -v                log more
  --help            show this text
`

function readConfig(options: PostlogOptions): MainConfig {
  if (options.configDirectory === undefined) return MainConfig.load()
  process.env['MAIL_CONFIG'] = options.configDirectory
  return MainConfig.load({ directory: options.configDirectory })
}

async function run(argv: readonly string[]): Promise<void> {
  if (argv[0] === '--help') {
    process.stdout.write(HELP)
    return
  }
  const options = parsePostlogOptions(argv)
  const config = readConfig(options)
  const stderr = isatty(2)
  const tag = options.tag === undefined ? {} : { tag: options.tag }
  openLog({ program: 'postlog', config, stderr, isVerbose: options.isVerbose, ...tag })
  if (options.words.length > 0) {
    logAt(options.severity, options.words.join(' '))
  } else {
    const lines = createInterface({ input: process.stdin.setEncoding('latin1') })
    for await (const line of lines) logAt(options.severity, line)
  }
  flushLog()
  if (options.severity === 'fatal' || options.severity === 'panic') await sleep(PAUSE_MS)
}

// text of the command line is UTF-8 in Node; the log takes octets
const argv = process.argv.slice(2).map((word) => Buffer.from(word).toString('latin1'))
openLog({ program: 'postlog', stderr: isatty(2) })
run(argv).catch((error: unknown) => {
  if (error instanceof UsageError || error instanceof ConfigError) {
    openLog({ program: 'postlog', stderr: true })
    fatal(error.message)
  }
  throw error
})
