/**
 * postkick(1) - kicks a service
 *
 * Writes a request to `public/SERVICE` or `private/SERVICE` in the queue directory, socket or FIFO, and waits
 * until it is in the hands of the kernel. For scripts; the requests are the service's own business.
 * Source: Postfix 3.7 postkick(1).
 */
import { OptionError, parseOptions, type CommandLine } from '@posthorn/config/getopt'
import { MainConfig } from '@posthorn/config/main-config'
import { fatal, log, openLog } from '@posthorn/log/log'
import { endpointProblem, trigger } from '@posthorn/wire/trigger'

const USAGE = 'usage: postkick [-c config_dir] [-v] class service request'

const HELP = `Usage: postkick [-v] [-c config_dir] class service request

Sends a request to a service: class is public or private, service its name in master.cf.

Options:
  -c config_dir     use the main.cf in this directory
  -v                log more
  --help            show this text
`

function readOptions(argv: readonly string[]): CommandLine {
  try {
    return parseOptions(argv, 'c:v')
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    process.stderr.write(`postkick: ${error.message}\n`)
    fatal(USAGE)
  }
}

async function run(argv: readonly string[]): Promise<void> {
  if (argv[0] === '--help') {
    process.stdout.write(HELP)
    return
  }
  const { options, operands } = readOptions(argv)
  const isVerbose =
    process.env['MAIL_VERBOSE'] !== undefined || options.some(({ letter }) => letter === 'v')
  const directory = options.findLast(({ letter }) => letter === 'c')?.value
  if (directory !== undefined) process.env['MAIL_CONFIG'] = directory
  const [channelClass, service, request] = operands
  if (channelClass === undefined || service === undefined || request === undefined) fatal(USAGE)
  if (operands.length > 3) fatal(USAGE)
  const config = MainConfig.load()
  openLog({ program: 'postkick', config, stderr: true, isVerbose })
  process.chdir(config.text('queue_directory'))
  const path = `${channelClass}/${service}`
  try {
    await trigger(path, request, config.seconds('application_event_drain_time') * 1000)
  } catch (error) {
    const problem = endpointProblem(path, error)
    if (problem !== undefined) log.warning(problem)
    log.warning(
      `Cannot contact class ${channelClass} service ${service} - perhaps the mail system is down`,
    )
    process.exitCode = 1
    return
  }
  log.debug(`kicked ${path}`)
}

openLog({ program: 'postkick', stderr: true })
run(process.argv.slice(2).map((word) => Buffer.from(word).toString('latin1'))).catch(
  (error: unknown) => {
    fatal(error instanceof Error ? error.message : String(error))
  },
)
