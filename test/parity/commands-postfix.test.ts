/**
 * commands-postfix - postfix(1) in every state of the mail system
 *
 * What the caller sees, the exit status, and the log. Needs root and Postfix 3.7.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { waitFor } from '@posthorn/testing/wait-for'
import t from 'tap'
import type { Instance, System } from '../../scripts/instance.ts'
import { SYSTEMS } from './both-systems.ts'
import { layOut, runCommand } from './command-lines.ts'
import { POSTFIX_COMMANDS, takeLog } from './script-log.ts'

const run = promisify(execFile)

async function isStopped(instance: Instance): Promise<boolean> {
  const pid = await readFile(join(instance.queueDirectory, 'pid/master.pid'), 'latin1').catch(
    () => '',
  )
  if (pid.trim() === '') return true
  return run('/bin/kill', ['-0', pid.trim()]).then(
    () => false,
    () => true,
  )
}

interface Step {
  readonly words: string
  /** After it, master has to be gone. */
  readonly ends?: boolean
  /** master logs this a little later. */
  readonly awaits?: string
}

const STEPS: readonly Step[] = [
  { words: 'status' },
  { words: 'stop' },
  { words: 'reload' },
  { words: 'flush' },
  { words: 'abort' },
  { words: 'quick-stop' },
  { words: 'check' },
  { words: 'foo' },
  { words: '' },
  { words: 'start extra' },
  { words: 'status' },
  { words: 'start' },
  { words: '-v status' },
  { words: 'reload', awaits: 'reload --' },
  { words: 'flush' },
  { words: 'check' },
  { words: 'stop', ends: true },
  { words: 'stop' },
  { words: '-D start' },
  { words: 'abort', ends: true },
  { words: 'status' },
  { words: 'start' },
  { words: 'quick-stop', ends: true },
  { words: 'start' },
  { words: 'stop', ends: true },
  { words: '-x status' },
  { words: '-c' },
  { words: '-c /nonexistent status' },
  { words: 'Status' },
  { words: 'status status' },
  { words: 'logrotate' },
]

t.test('postfix in every state', async (t) => {
  const seen: Partial<Record<System, unknown[]>> = {}
  await Promise.all(
    SYSTEMS.map(async (system) => {
      const instance = await layOut(t, system)
      t.teardown(async () => runCommand(instance, POSTFIX_COMMANDS[system], ['abort']))
      await takeLog(instance, system)
      const found: unknown[] = []
      for (const { words, ends, awaits = '' } of STEPS) {
        const args = words.split(' ').filter((word) => word !== '')
        const outcome = await runCommand(instance, POSTFIX_COMMANDS[system], args)
        if (ends === true) await waitFor(async () => isStopped(instance), 'master has ended')
        await waitFor(async () => awaits === '' || (await instance.log()).includes(awaits), awaits)
        // ours says why it failed even where there is no terminal (docs/differences.md)
        const stderr = outcome.stderr.replace(/^(?:postfix|master): fatal: .*\n/gm, '')
        found.push({ ...outcome, stderr })
      }
      // postlogd(8) writes when it comes to it: only within a program is the order certain
      const log = await takeLog(instance, system)
      for (const tag of ['postfix-script', 'master']) {
        found.push(log.filter((line) => line.startsWith(`postfix/${tag}[`)))
      }
      seen[system] = found
    }),
  )
  const titles = STEPS.map(({ words }, at) => `step ${at + 1}: postfix ${words}`)
  for (const [at, title] of [...titles, 'log of postfix-script', 'log of master'].entries()) {
    t.same(seen.posthorn?.[at], seen.postfix?.[at], title)
  }
})

t.test('start-fg ends when it is told to', async (t) => {
  const instance = await layOut(t, 'posthorn')
  const child = execFile('/usr/bin/env', [
    ...['-i', 'PATH=/usr/bin:/bin', POSTFIX_COMMANDS.posthorn],
    ...['-c', instance.configDirectory, 'start-fg'],
  ])
  const ended = new Promise((resolve) =>
    child.once('exit', (code) => {
      resolve(code)
    }),
  )
  await waitFor(async () => !(await isStopped(instance)), 'master runs')
  child.kill('SIGTERM')
  t.equal(await ended, 0, 'exit status')
  t.ok(await isStopped(instance), 'master has ended first')
})
