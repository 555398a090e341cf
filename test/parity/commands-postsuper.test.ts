/**
 * commands-postsuper - every option of postsuper(1), on queues with odd things in them
 *
 * Needs root and Postfix 3.7.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { System } from '../../scripts/instance.ts'
import { SYSTEMS } from './both-systems.ts'
import { layOut, runCommand } from './command-lines.ts'
import { QueueFixture } from './queue-fixture.ts'

type State = 'clean' | 'littered' | 'misplaced'

/** Words; `<label>` stands for the id of that message. */
type Case = readonly [words: string, input?: string]

const CASES: Readonly<Record<State, readonly Case[]>> = {
  clean: [
    [''],
    ['-p'],
    ['-s'],
    ['-S'],
    ['-ps deferred'],
    ['-d <deferred>'],
    ['-d <maildrop> -d <hold> -d <incoming> -d <active>'],
    ['-d <unready>'],
    ['-d ABCDEF0123'],
    ['-d xyz'],
    ['-d ../etc'],
    ['-d all'],
    ['-d ALL'],
    ['-d ALL deferred'],
    ['-d ALL deferred hold'],
    ['-d ALL trace'],
    ['-d <deferred> hold'],
    ['-d -', '<deferred>\n\nxyz\n<hold>\nABCDEF0123\n <active>\n<incoming> \n<maildrop>'],
    ['-d -', ''],
    ['-d - -h -', '<deferred>\n<active>\n'],
    ['-h <deferred>'],
    ['-h <maildrop>'],
    ['-h <hold>'],
    ['-h <active> -h <incoming>'],
    ['-h ALL'],
    ['-h ALL maildrop'],
    ['-H <hold>'],
    ['-H <deferred>'],
    ['-H ALL'],
    ['-H <expired>'],
    ['-h <deferred> -H <deferred>'],
    ['-r <deferred>'],
    ['-r <hold> -r <active> -r <incoming>'],
    ['-r <maildrop>'],
    ['-r <expired>'],
    ['-r ALL'],
    ['-r ALL hold'],
    ['-e <deferred>'],
    ['-e <expired>'],
    ['-e <maildrop>'],
    ['-e <deferred> -e <deferred>'],
    ['-e ALL'],
    ['-f <hold>'],
    ['-f <deferred>'],
    ['-f <expired>'],
    ['-f ALL'],
    ['-d <deferred> -h <active> -e <incoming> -r <hold>'],
    ['-p -d <deferred>'],
    ['-d'],
    ['-x'],
    ['bogus'],
    ['-d ALL bogus'],
    ['corrupt'],
    ['saved'],
    ['/tmp'],
    ['deferred/'],
    ['trace'],
    ['-s flush'],
    ['-d ALL flush'],
    ['-h ALL corrupt'],
  ],
  littered: [
    [''],
    ['-p'],
    ['-s'],
    ['-S'],
    ['-p incoming'],
    ['-s hold'],
    ['-d ALL'],
    ['-d ALL incoming bounce'],
    ['-h ALL'],
    ['-r ALL'],
    ['-e ALL'],
    ['-d ABCDEF0123'],
    ['-d ABCDE99'],
    ['-d ABCDE98'],
    ['-d 12345'],
    ['-d FFFFF2'],
    ['-h ABCDEF0123'],
  ],
  misplaced: [
    [''],
    ['-p'],
    ['-s'],
    ['-s deferred'],
    ['-s -d <hold>'],
    ['-s -d ALL'],
    ['-d <deferred2>'],
    ['-h ALL'],
  ],
}

const COMMANDS: Readonly<Record<System, string>> = {
  postfix: '/usr/sbin/postsuper',
  posthorn: join(import.meta.dirname, '../../build/sbin/postsuper'),
}

async function outcomes(t: Test, system: System, state: State): Promise<unknown[]> {
  const instance = await layOut(t, system, { main: { maillog_file: '' } })
  const fixture = new QueueFixture(instance)
  const found: unknown[] = []
  for (const [text, input = ''] of CASES[state]) {
    fixture.fill()
    if (state === 'littered') fixture.litter()
    if (state === 'misplaced') fixture.misplace()
    const real = (words: string): string =>
      words.replace(/<(\w+)>/g, (_, label: string) => fixture.ids.get(label) ?? '')
    const args = text === '' ? [] : real(text).split(' ')
    const outcome = await runCommand(instance, COMMANDS[system], args, {
      input: real(input),
      plain: true,
    })
    const said = fixture.labelled(`${outcome.stdout}${outcome.stderr}`).split('\n')
    // the order of a directory is nobody's
    found.push({
      exit: outcome.exit,
      said: onceOnly(said.join('\n')).split('\n').sort(),
      tree: fixture.tree().split('\n'),
    })
  }
  return found
}

/** Postfix looks twice before it says that there is nothing, and says twice what it sees. */
function onceOnly(text: string): string {
  return text.replace(/^(.*(?:-- '.'|not a regular file)\n)\1/gm, '$1')
}

for (const state of Object.keys(CASES) as State[]) {
  t.test(`postsuper, queue ${state}`, async (t) => {
    const seen: Partial<Record<System, unknown[]>> = {}
    await Promise.all(
      SYSTEMS.map(async (system) => {
        seen[system] = await outcomes(t, system, state)
      }),
    )
    for (const [at, [text]] of CASES[state].entries()) {
      t.same(seen.posthorn?.[at], seen.postfix?.[at], `postsuper ${text}`)
    }
  })
}
