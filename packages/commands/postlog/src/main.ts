/**
 * postlog(1) - logs lines on behalf of scripts
 *
 * The words on the command line are one line; without any, every line of standard input is one. Lines go
 * where Postfix programs log, and to a terminal on standard error. A fatal or panic line pauses for a second,
 * as the programs that really die do. Root may write maillog_file itself while postlogd(8) is down.
 * Source: Postfix 3.7 postlog(1).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isatty } from 'node:tty'
import { ConfigError } from '@posthorn/config/config-error'
import {
  hasBorrowedRights,
  requireAuthorizedDirectory,
  selectConfigDirectory,
} from '@posthorn/config/config-directory'
import { OptionError } from '@posthorn/config/getopt'
import { MainConfig } from '@posthorn/config/main-config'
import { fatal, flushLog, log, logAt, openLog } from '@posthorn/log/log'
import { parsePostlogOptions, USAGE, UsageError, type PostlogOptions } from './postlog-options.ts'

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

function readOptions(argv: readonly string[]): PostlogOptions {
  try {
    return parsePostlogOptions(argv)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    process.stderr.write(`postlog: ${error.message}\n`)
    throw new UsageError(USAGE)
  }
}

/** A CR is text, and text ends at a NUL: as the C programs have it. */
async function* readLines(input: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  let rest = ''
  for await (const chunk of input) {
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield untilNul(line)
  }
  if (rest !== '') yield untilNul(rest)
}

function untilNul(text: string): string {
  return text.replace(/\0[^]*$/, '')
}

function readConfig(options: PostlogOptions): MainConfig {
  if (options.configDirectory !== undefined) process.env['MAIL_CONFIG'] = options.configDirectory
  if (hasBorrowedRights()) requireAuthorizedDirectory(selectConfigDirectory())
  return MainConfig.load()
}

async function run(argv: readonly string[]): Promise<void> {
  if (argv[0] === '--help') {
    process.stdout.write(HELP)
    return
  }
  const options = readOptions(argv)
  const config = readConfig(options)
  const stderr = isatty(2)
  const tag = options.tag === undefined ? {} : { tag: options.tag }
  openLog({ program: 'postlog', config, stderr, isVerbose: options.isVerbose, ...tag })
  if (options.words.length > 0) {
    logAt(options.severity, options.words.join(' '))
  } else {
    for await (const line of readLines(process.stdin)) logAt(options.severity, line)
  }
  flushLog()
  if (options.severity === 'fatal' || options.severity === 'panic') await sleep(PAUSE_MS)
}

// text of the command line is UTF-8 in Node; the log takes octets
const argv = process.argv.slice(2).map((word) => Buffer.from(word).toString('latin1'))
openLog({ program: 'postlog', stderr: isatty(2) })
run(argv).catch((error: unknown) => {
  if (error instanceof ConfigError) for (const line of error.warnings) log.error(line)
  fatal(error instanceof Error ? error.message : String(error))
})
