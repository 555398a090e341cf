import t from 'tap'
import { figureLine, printTable } from './result-table.ts'

const runs = { postfix: [100, 100, 100], posthorn: [150, 250, 200] }
const figure = { load: 'relay', pick: (run: number) => run }

t.test('figureLine() judges by the median of the ratios', (t) => {
  const line = figureLine(runs, { ...figure, atLeast: 2 })
  t.match(line, { postfix: '100', posthorn: '200', ratio: '2.00 (1.50-2.50)', isReached: true })
  t.equal(figureLine(runs, { ...figure, atLeast: 2.1 }).isReached, false)
  t.equal(figureLine(runs, { ...figure, atMost: 1 }).isReached, false)
  t.end()
})

t.test('figureLine() with a limit judges Posthorn alone', (t) => {
  t.match(figureLine(runs, { ...figure, unit: ' MB', limit: 150 }), {
    posthorn: '200 MB',
    target: '<= 150 MB',
    isReached: false,
  })
  t.end()
})

t.test('printTable() leaves a line without target unjudged', (t) => {
  const printed = printTable([figureLine(runs, figure)])
  t.match(printed, /^\| relay \| 100 \| 200 \| 2\.00 \(1\.50-2\.50\) \| {2}\| {2}\| {2}\|$/m)
  t.end()
})
