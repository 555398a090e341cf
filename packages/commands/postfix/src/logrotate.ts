/**
 * logrotate - `postfix logrotate`: set the log file aside under a dated name and compress it
 *
 * Source: Postfix 3.7 postfix(1), MAILLOG_README.
 */
import { rename } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { CommandError, type Instance } from './instance.ts'
import { isMasterRunning, masterPid, run } from './master-process.ts'

/** Time for postlogd to open the new file after it was told to. */
const REOPEN_MS = 1000

const twoDigits = (value: number): string => String(value).padStart(2, '0')

/** The strftime(3) conversions that a rotation suffix uses: %Y %m %d %H %M %S %s and %%. */
export function formatSuffix(pattern: string, now: Date): string {
  const values: Record<string, string> = {
    Y: String(now.getFullYear()),
    m: twoDigits(now.getMonth() + 1),
    d: twoDigits(now.getDate()),
    H: twoDigits(now.getHours()),
    M: twoDigits(now.getMinutes()),
    S: twoDigits(now.getSeconds()),
    s: String(Math.floor(now.getTime() / 1000)),
    '%': '%',
  }
  return pattern.replace(/%(.)/g, (whole, letter: string) => values[letter] ?? whole)
}

/** @throws {CommandError} logging does not go to a file that can be renamed */
export async function rotateLog(instance: Instance): Promise<void> {
  const { config } = instance
  const file = config.text('maillog_file')
  const compressor = config.text('maillog_file_compressor')
  const pattern = config.text('maillog_file_rotate_suffix')
  if (file === '') throw new CommandError('maillog_file is empty: there is no log file to rotate')
  if (file.startsWith('/dev/')) throw new CommandError(`maillog_file is a device: ${file}`)
  if (compressor === '')
    throw new CommandError('maillog_file_compressor is empty: name a program, for example gzip')
  if (pattern === '')
    throw new CommandError(
      'maillog_file_rotate_suffix is empty: give a pattern, for example %Y%m%d-%H%M%S',
    )
  const aside = `${file}.${formatSuffix(pattern, new Date())}`
  await rename(file, aside)
  if (await isMasterRunning(instance)) {
    process.kill(await masterPid(instance), 'SIGHUP')
    await sleep(REOPEN_MS)
  }
  const status = await run(instance, compressor, [aside])
  if (status !== 0)
    throw new CommandError(`${compressor} ${aside} failed with exit status ${status}`)
}
