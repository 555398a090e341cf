import t from 'tap'
import { finishedCalls } from './fsync-proof.ts'

t.test('finishedCalls() counts calls that ended well, in one line or in two', (t) => {
  const trace = [
    '100 fsync(12)                         = 0',
    '101 fdatasync(7 <unfinished ...>',
    '100 fsync(12)                         = -1 EIO (Input/output error)',
    '101 <... fdatasync resumed>)          = 0',
    '102 fsync(9 <unfinished ...>',
    '103 +++ exited with 0 +++',
    '',
  ]
  t.equal(finishedCalls(trace.join('\n')), 2)
  t.equal(finishedCalls(''), 0)
  t.end()
})
