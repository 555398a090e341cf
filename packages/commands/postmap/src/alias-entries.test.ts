/** alias-entries.test - the lines of alias files */
import t from 'tap'
import { readAliases } from './alias-entries.ts'

function read(text: string): { entries: string[]; warnings: string[] } {
  const warnings: string[] = []
  const entries = readAliases(text, 'aliases', (warning) => warnings.push(warning))
  return { entries: entries.map(({ key, value }) => `${key} = ${value}`), warnings }
}

t.test('readAliases() takes names and values', (t) => {
  const text = [
    '# a comment',
    'root: nobody',
    'List: a, b@c ,',
    '  "|prog args", /file, :include:/x',
    '"a b": \\x',
    'm (who): <a@b>, A B <c@d>, (com) e',
    'null: ""',
  ]
  t.strictSame(read(text.join('\n')), {
    entries: [
      'root = nobody',
      'List = a, b@c, "|prog args", /file, :include:/x',
      'a b = x',
      'm = <a@b>, A B <c@d>, (com) e',
      'null = ""',
    ],
    warnings: [],
  })
  t.end()
})

t.test('readAliases() leaves out lines that are none', (t) => {
  t.strictSame(read('bad\nx@y: z\nn%m: z\ne:\n: z\na, b: c\n'), {
    entries: [],
    warnings: [
      'aliases, line 1: need name:value pair',
      'aliases, line 2: name must be local',
      'aliases, line 3: name must be local',
      'aliases, line 4: need name:value pair',
      'aliases, line 5: need name:value pair',
      'aliases, line 6: name must be local',
    ],
  })
  t.end()
})
