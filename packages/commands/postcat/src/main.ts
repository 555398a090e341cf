/**
 * postcat(1) - shows the contents of queue files
 *
 * Operands are files, or queue ids with -q; without any, standard input. Output is the octets of the
 * file, made readable by print-queue-file.ts. Exit status: 0, or 1 after the first file that cannot
 * be opened or is damaged; something that is no queue file at all only gets a warning.
 * Source: Postfix 3.7 postcat(1).
 */
/* eslint-disable n/no-sync -- a command that has nothing else to do */
import { OptionError } from '@posthorn/config/getopt'
import { MainConfig } from '@posthorn/config/main-config'
import { errorReason } from '@posthorn/native/system-error'
import { fatal, log, openLog } from '@posthorn/log/log'
import { RecordError } from '@posthorn/queue/queue-error'
import { findQueueId } from '@posthorn/queue/queue-id'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { closeSync, openSync } from 'node:fs'
import { findQueueFile } from './find-queue-file.ts'
import { parsePostcatOptions, USAGE, type PostcatOptions } from './postcat-options.ts'
import { PointerError, printQueueFile } from './print-queue-file.ts'
import { seekableInput } from './seekable-input.ts'

const HELP = `Usage: postcat [-bdehoqrv] [-c config_dir] [-s offset] [file...]

Shows queue files. Without -b, -e or -h all parts are shown; without a file, standard input.

Options:
  -b                show the body
  -c config_dir     use the main.cf in this directory
  -d                show the type of each record as a number
  -e                show the envelope
  -h                show the header
  -o                show the offset of each record
  -q                operands are queue ids, which are looked for in the queue
  -r                with -v: records in the order of the file, pointers are not followed
  -s offset         begin at this offset
  -v                show pointers and padding, and one record on each line
  --help            show this text
`

function readOptions(): PostcatOptions {
  const argv = process.argv.slice(2).map((word) => Buffer.from(word).toString('latin1'))
  try {
    return parsePostcatOptions(argv)
  } catch (error) {
    if (error instanceof RangeError) fatal(error.message)
    if (!(error instanceof OptionError)) throw error
    process.stderr.write(`postcat: ${error.message}\n`)
    fatal(USAGE)
  }
}

async function print(fd: number, path: string, options: PostcatOptions): Promise<void> {
  const chunks = printQueueFile(fd, path, options, (text) => {
    log.warning(text)
  })
  try {
    for (const chunk of chunks) {
      if (!process.stdout.write(chunk, 'latin1')) {
        await new Promise((resolve) => process.stdout.once('drain', resolve))
      }
    }
  } catch (error) {
    if (!(error instanceof RecordError)) {
      log.warning(`close ${path}: ${errorReason(error)}`) // a directory, for one
      return
    }
    log.warning(`${path}: ${error.message}`)
    fatal(
      error instanceof PointerError
        ? 'bad pointer record, or input is not seekable'
        : 'record read error',
    )
  } finally {
    closeSync(fd)
  }
}

function openById(layout: QueueLayout, text: string): { fd: number; path: string } {
  const id = findQueueId(text) ?? fatal(`bad mail queue ID: ${text}`)
  try {
    return findQueueFile(layout, id) ?? fatal(`open queue file ${text}: No such file or directory`)
  } catch (error) {
    fatal(`open queue file ${text}: ${errorReason(error)}`)
  }
}

function openByName(path: string): number {
  try {
    return openSync(Buffer.from(path, 'latin1'), 'r')
  } catch (error) {
    fatal(`open ${path}: ${errorReason(error)}`)
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
  openLog({ program: 'postcat', config, stderr: true })
  if (options.wantsQueue) {
    const directory = config.text('queue_directory')
    try {
      process.chdir(directory)
    } catch (error) {
      fatal(`chdir ${directory}: ${errorReason(error)}`)
    }
    const layout = QueueLayout.fromConfig(config)
    for (const operand of options.operands) {
      const { fd, path } = openById(layout, operand)
      await print(fd, path, options)
    }
  } else if (options.operands.length === 0) {
    await print(await seekableInput(), 'stdin', options)
  } else {
    for (const path of options.operands) await print(openByName(path), path, options)
  }
}

openLog({ program: 'postcat', stderr: true })
// Whoever reads us (head, less) may have seen enough.
// eslint-disable-next-line n/no-process-exit -- nobody is left to tell
process.stdout.on('error', () => process.exit(0))
run().catch((error: unknown) => {
  fatal(error instanceof Error ? error.message : String(error))
})
