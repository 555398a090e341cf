/**
 * sendmail(1), mailq(1), newaliases(1) - the mail system's command as programs know it
 *
 * Without a mode: reads a message from standard input and has postdrop(1) put it into the maildrop directory. The other
 * modes are other commands: the queue is postqueue(1)'s, aliases are postalias(1)'s.
 *
 * Runs with the user's rights, and trusts nobody's input; what may enter the queue is decided behind postdrop(1).
 * Exit status: 0 when the mail system has the message, 75 otherwise; in other modes that of the other program.
 * Source: Postfix 3.7 sendmail(1).
 */
import { basename, dirname } from 'node:path'
import {
  DEFAULT_CONFIG_DIRECTORY,
  requireAuthorizedDirectory,
} from '@posthorn/config/config-directory'
import { OptionError } from '@posthorn/config/getopt'
import { ConfigError, MainConfig } from '@posthorn/config/main-config'
import { log, openLog } from '@posthorn/log/log'
import { fail } from './fail.ts'
import { HELP } from './help.ts'
import { runMode } from './run-mode.ts'
import {
  parseSendmailOptions,
  SendmailUsageError,
  type SendmailOptions,
} from './sendmail-options.ts'
import { octetsOf } from './submitter.ts'

function readOptions(): SendmailOptions {
  const [, script = '', ...words] = process.argv
  try {
    return parseSendmailOptions(basename(script), words.map(octetsOf))
  } catch (error) {
    if (error instanceof SendmailUsageError) fail(error.message)
    if (!(error instanceof OptionError)) throw error
    process.stderr.write(`sendmail: ${error.message}\n`)
    fail('usage: sendmail [options]')
  }
}

/** -C names main.cf or its directory. Only root may name any: what we start would run with it. */
function chooseConfiguration(path: string): void {
  const directory = basename(path) === 'main.cf' ? dirname(path) : path
  if (process.getuid?.() !== 0 && directory !== DEFAULT_CONFIG_DIRECTORY) {
    requireAuthorizedDirectory(directory)
  }
  process.env['MAIL_CONFIG'] = directory
}

async function run(): Promise<void> {
  if (process.argv[2] === '--help') {
    process.stdout.write(HELP)
    return
  }
  const options = readOptions()
  if (options.configPath !== undefined) chooseConfiguration(options.configPath)
  const config = MainConfig.load()
  openLog({ program: 'sendmail', config, stderr: true, isVerbose: options.verbosity > 1 })
  await runMode(config, options)
}

openLog({ program: 'sendmail', stderr: true })
run().catch((error: unknown) => {
  if (error instanceof ConfigError) for (const line of error.warnings) log.error(line)
  fail(error instanceof Error ? error.message : String(error))
})
