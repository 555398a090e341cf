/**
 * script-log - what postfix(1) and master(8) have logged, comparable between the systems
 */
import { readFile, truncate } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Instance, System } from '../../scripts/instance.ts'
import { comparable } from './both-systems.ts'

export const POSTFIX_COMMANDS: Readonly<Record<System, string>> = {
  postfix: '/usr/sbin/postfix',
  posthorn: join(import.meta.dirname, '../../build/sbin/postfix'),
}

/** What was logged since the last time: the lines of postfix(1), its helpers and master(8). */
export async function takeLog(instance: Instance, system: System): Promise<string[]> {
  const text = await readFile(instance.logFile, 'latin1').catch(() => '')
  await truncate(instance.logFile).catch(() => undefined)
  const daemons = join(instance.directory, 'libexec')
  const commands = dirname(POSTFIX_COMMANDS[system])
  return (
    comparable(text)
      .split('\n')
      .filter(
        (line) =>
          line.includes('postfix/postfix-script[') ||
          line.includes('postfix[PID') ||
          /postfix\/master\[.*: (?:fatal|error|warning|reload|terminating)/.test(line),
      )
      .map((line) =>
        line
          .replaceAll(daemons, 'LIBEXEC')
          .replaceAll(commands, 'SBIN')
          .replace(/version [^,]*/, 'version V'),
      )
      .map((line) => line.replaceAll(/DIR\/i|\/tmp\/parity-\w+-\w+\/i/g, 'DIR'))
      .map((line) => line.replace(/running: PID: \d+/, 'running: PID: N'))
      // the daemon directory of a test is a folder of links
      .filter((line) => !line.includes('warning: symlink leaves directory: DIR/libexec/'))
      // ours runs where it was built
      .filter((line) => !line.includes('warning: a script cannot be set-gid'))
  )
}
