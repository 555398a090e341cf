import t from 'tap'
import { parseOptions } from './getopt.ts'

t.test('parseOptions() reads as getopt(3) does', (t) => {
  t.same(parseOptions(['-vq', '-c', 'dir', '-s12', 'A', '-v'], 'c:qs:v'), {
    options: [
      { letter: 'v', value: '' },
      { letter: 'q', value: '' },
      { letter: 'c', value: 'dir' },
      { letter: 's', value: '12' },
    ],
    operands: ['A', '-v'],
  })
  t.same(parseOptions(['-v', '--', '-v'], 'v').operands, ['-v'])
  t.same(parseOptions(['-', 'x'], 'v').operands, ['-', 'x'])
  t.same(parseOptions(['-vc', '-v'], 'c:v').options[1], { letter: 'c', value: '-v' })
  t.throws(() => parseOptions(['-z'], 'v'), { message: "invalid option -- 'z'" })
  t.throws(() => parseOptions(['-:'], 'c:'), { message: "invalid option -- ':'" })
  t.throws(() => parseOptions(['-vc'], 'c:v'), { message: "option requires an argument -- 'c'" })
  t.end()
})
