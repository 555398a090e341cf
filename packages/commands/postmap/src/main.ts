/**
 * postmap(1), postalias(1) - creates lookup tables from text, and asks them
 *
 * Asks and lists what the daemons can read; creates cdb only (create-database.ts says why). Called as postalias it reads
 * alias files, and shows `name:` before a value.
 * Exit status: 0; 1 when a key was not found, or for whatever failed.
 * Source: Postfix 3.7 postmap(1), postalias(1).
 */
import { basename } from 'node:path'
import { OptionError } from '@posthorn/config/getopt'
import { ConfigError, MainConfig } from '@posthorn/config/main-config'
import { fatal, log, openLog } from '@posthorn/log/log'
import { openTable } from '@posthorn/tables/open-table'
import { createDatabase } from './create-database.ts'
import { listTable } from './list-table.ts'
import { parsePostmapOptions, type PostmapOptions } from './postmap-options.ts'
import { queryLines, queryTables } from './query-tables.ts'

const program = basename(process.argv[1] ?? '') === 'postalias' ? 'postalias' : 'postmap'
const isAliases = program === 'postalias'
const LETTERS = isAliases ? 'Nc:d:finopq:rsuvw' : 'FNUbc:d:fhimnopq:rsuvw'
const USAGE = isAliases
  ? 'usage: postalias [-Nfinoprsuvw] [-c config_dir] [-d key] [-q key] [map_type:]file...'
  : 'usage: postmap [-bfFhimnNoprsuUvw] [-c config_dir] [-d key] [-q key] [map_type:]file...'
const SEPARATOR = isAliases ? ':\t' : '\t'

const FILES_HELP = `  -F                values are names of files, and what is in these is stored, listed and printed
`
const HELP = `Usage: ${program} [-${isAliases ? '' : 'F'}fNnoprsuvw] [-c config_dir] [-q key] [type:]file ...

Without -q or -s: creates a database from each text file, of type cdb.

Options:
  -c config_dir     use the main.cf in this directory
  -f                keys as they are, without folding their letter case
${isAliases ? '' : FILES_HELP}  -N                a NUL behind keys and values
  -o                root stays the owner of a database whose source is somebody else's
  -p                mode 0644, whatever the mode of the source
  -q key            print the value of the key; -: keys come from standard input
  -r                of equal keys the last one counts, without a warning
  -s                print all entries: hash, btree, cdb, texthash
  -w                of equal keys the first one counts, without a warning
  -v                log more
  --help            show this text

-n and -u are accepted and ignored. Not supported: -b, -d, -h, -i, -m.
`

function readOptions(): PostmapOptions {
  const argv = process.argv.slice(2).map((word) => Buffer.from(word).toString('latin1'))
  try {
    return parsePostmapOptions(argv, LETTERS)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    process.stderr.write(`${program}: ${error.message}\n`)
    fatal(USAGE)
  }
}

async function* readKeys(input: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  let rest = ''
  for await (const chunk of input) {
    const lines = (rest + chunk.toString('latin1')).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}

async function query(config: MainConfig, key: string, options: PostmapOptions): Promise<boolean> {
  const tables = options.tables.map((reference) =>
    openTable(reference, {
      config,
      foldsCase: options.foldsCase,
      valuesAreFiles: options.valuesAreFiles,
    }),
  )
  const ask = async (one: string): Promise<string | undefined> =>
    queryTables(tables, one, options.valuesAreFiles)
  if (key !== '-') {
    const value = await ask(key)
    if (value !== undefined) process.stdout.write(`${value}\n`, 'latin1')
    return value !== undefined
  }
  let isFound = false
  for await (const line of queryLines(ask, readKeys(process.stdin), SEPARATOR)) {
    process.stdout.write(line, 'latin1')
    isFound = true
  }
  return isFound
}

async function run(): Promise<void> {
  if (process.argv[2] === '--help') {
    process.stdout.write(HELP)
    return
  }
  const options = readOptions()
  if (options.configDirectory !== undefined) process.env['MAIL_CONFIG'] = options.configDirectory
  const config = MainConfig.load()
  openLog({ program, config, stderr: true, isVerbose: options.isVerbose })
  if (options.tables.length === 0) fatal(USAGE)
  switch (options.task.kind) {
    case 'query':
      if (!(await query(config, options.task.key, options))) process.exitCode = 1
      return
    case 'list':
      for (const reference of options.tables) {
        for (const [key, value] of listTable(config, reference, options)) {
          process.stdout.write(`${key}${SEPARATOR}${value}\n`, 'latin1')
        }
      }
      return
    case 'create':
      for (const reference of options.tables) {
        createDatabase(config, reference, isAliases, options)
      }
  }
}

openLog({ program, stderr: true })
// Whoever reads us (head, less) may have seen enough.
// eslint-disable-next-line n/no-process-exit -- nobody is left to tell
process.stdout.on('error', () => process.exit(0))
run().then(
  // a table server's connection is kept for the next question, and there is none
  // eslint-disable-next-line n/no-process-exit -- a command ends here
  () => process.stdout.write('', () => process.exit()),
  (error: unknown) => {
    if (error instanceof ConfigError) for (const line of error.warnings) log.error(line)
    fatal(error instanceof Error ? error.message : String(error))
  },
)
