/**
 * both-systems - the same configuration and the same doings, once on Postfix and once on Posthorn
 *
 * A parity test runs its script on each system, makes what it saw comparable (what differs from run to run is
 * replaced), and expects the same. A difference on purpose stands in docs/differences.md, and in the test that
 * allows for it.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Instance, type InstanceOptions, type System } from '../../scripts/instance.ts'

export const SYSTEMS = ['postfix', 'posthorn'] as const

export type BothOptions = Pick<InstanceOptions, 'main' | 'master'>

/**
 * A started instance of one system, owned by user postfix; stopped and removed when the test ends.
 * `options` may be the same for both, but ports inside must be each instance's own.
 */
export async function startSystem(
  t: Test,
  system: System,
  options: BothOptions = {},
): Promise<Instance> {
  const directory = await mkdtemp(join(tmpdir(), `parity-${system}-`))
  await chmod(directory, 0o755)
  const instance = await Instance.create({
    directory: join(directory, 'i'),
    commands: system,
    daemons: system,
    owner: 'postfix',
    ...options,
  })
  t.teardown(async () => {
    await instance.stop()
    await rm(directory, { recursive: true, force: true })
  })
  await instance.start()
  return instance
}

/** Runs one script on Postfix, then on Posthorn, and returns what each gave. */
export async function onBoth<T>(
  t: Test,
  options: BothOptions,
  script: (instance: Instance, system: System) => Promise<T>,
): Promise<Record<System, T>> {
  const results: Partial<Record<System, T>> = {}
  for (const system of SYSTEMS) {
    const instance = await startSystem(t, system, options)
    results[system] = await script(instance, system)
    await instance.stop()
  }
  return results as Record<System, T>
}

const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)'

const VARYING: readonly (readonly [RegExp, string])[] = [
  [new RegExp(`${DAY}, +\\d+ ${MONTH} \\d{4} [\\d:]+ [+-]\\d{4} \\([A-Z]+\\)`, 'g'), 'DATE'],
  [new RegExp(`^${MONTH} +\\d+ [\\d:]+ \\S+ `, 'gm'), ''],
  [/\b[0-9A-F]{8,14}\b/g, 'QUEUEID'],
  [/\b(delays?)=[\d./]+/g, '$1=N'],
  [/\[\d+\]: /g, '[PID]: '],
  [/\/tmp\/parity-post(?:fix|horn)-\w+/g, 'DIR'],
  [/\b(?:Postfix|Posthorn)\b/g, 'MTA'],
]

/** Replaces what differs between two runs of the same script: dates, queue ids, pids, delays, directories, names. */
export function comparable(text: string): string {
  return VARYING.reduce((rest, [pattern, name]) => rest.replace(pattern, name), text)
}
