import fc from 'fast-check'
import t from 'tap'
import { LEAVING, ProcessTable } from './process-table.ts'

const TAKEN = 0
const AVAILABLE = 1
const SHARES = 2

function tell(table: ProcessTable, pid: number, ...states: number[]): string[] {
  return states.map((state) => table.noteStatus({ pid, generation: pid, state }))
}

t.test('one client per process: a process more when nobody is free, up to the limit', (t) => {
  const table = new ProcessTable(2, 8)
  t.ok(table.isExhausted && table.hasRoom)
  table.started(1, 1, 1)
  t.notOk(table.isExhausted, 'available from the fork on')
  t.ok(table.isLastSlot)
  tell(table, 1, TAKEN, TAKEN)
  t.ok(table.isExhausted && table.hasRoom)
  table.started(2, 2, 1)
  tell(table, 2, TAKEN)
  t.ok(table.isExhausted && !table.hasRoom)
  tell(table, 1, AVAILABLE)
  t.notOk(table.isExhausted)
  t.equal(table.exited(1, false), false)
  t.ok(table.isExhausted && table.hasRoom)
  t.end()
})

t.test('status messages that count for nothing', (t) => {
  const table = new ProcessTable(0, 2)
  table.started(1, 7, 1)
  t.equal(table.noteStatus({ pid: 2, generation: 7, state: TAKEN }), 'unknownProcess')
  t.equal(table.noteStatus({ pid: 1, generation: 6, state: TAKEN }), 'otherGeneration')
  t.equal(table.noteStatus({ pid: 1, generation: 7, state: 9 }), 'unknownState')
  t.notOk(table.isExhausted)
  t.end()
})

t.test('bad starts: an abnormal end before the first client was served', (t) => {
  const table = new ProcessTable(0, 2)
  for (const pid of [1, 2, 3, 4]) table.started(pid, pid, 1)
  t.equal(table.exited(1, true), true)
  t.equal(table.exited(2, false), false)
  tell(table, 3, TAKEN)
  t.equal(table.exited(3, true), true)
  tell(table, 4, TAKEN, AVAILABLE)
  t.equal(table.exited(4, true), false)
  t.equal(table.exited(5, true), false)
  t.end()
})

t.test(
  'programs that share: as many processes as workers, and never more clients than maxproc',
  (t) => {
    const table = new ProcessTable(5, 2)
    t.equal(table.nextShare(), 3)
    table.started(1, 1, table.nextShare())
    tell(table, 1, SHARES)
    t.notOk(table.isLastSlot)
    tell(table, 1, TAKEN)
    t.ok(table.isExhausted && table.hasRoom)
    t.equal(table.nextShare(), 2)
    table.started(2, 2, table.nextShare())
    tell(table, 2, SHARES, TAKEN)
    t.ok(table.isExhausted && !table.hasRoom)
    tell(table, 1, AVAILABLE)
    t.notOk(table.isExhausted)
    t.end()
  },
)

t.test("a process that is leaving takes no worker's place, but one of maxproc", (t) => {
  const table = new ProcessTable(3, 1)
  for (const pid of [1, 2, 3]) {
    t.ok(table.hasRoom)
    t.equal(table.nextShare(), 3)
    table.started(pid, pid, 3)
    tell(table, pid, SHARES, TAKEN)
    t.notOk(table.hasRoom)
    tell(table, pid, LEAVING, AVAILABLE)
    t.ok(table.isExhausted)
  }
  t.notOk(table.hasRoom)
  table.exited(2, false)
  t.ok(table.hasRoom)
  t.end()
})

t.test('after retire() processes that share are counted no more, others are', (t) => {
  const table = new ProcessTable(2, 2)
  table.started(1, 1, 1)
  table.retire()
  t.notOk(table.isExhausted, 'an idle old process still counts as available')
  tell(table, 1, SHARES)
  table.retire()
  t.ok(table.isExhausted && table.hasRoom)
  table.reconfigure(1, true)
  t.notOk(table.hasRoom)
  table.reconfigure(0, false)
  t.ok(table.hasRoom)
  t.equal(table.nextShare(), 1000)
  t.end()
})

t.test('whatever happens, availability is what the processes said, and limits hold', (t) => {
  const event = fc.record({ what: fc.nat(5), pid: fc.nat(6) })
  const property = fc.property(
    fc.nat(4),
    fc.integer({ min: 1, max: 3 }),
    fc.array(event),
    (limit, workers, events) => {
      const table = new ProcessTable(limit, workers)
      let next = 1
      for (const { what, pid } of events) {
        if (what === 5) {
          if (!table.isExhausted || !table.hasRoom) continue
          const share = table.nextShare()
          if (share < 1) return false
          table.started(next, next, share)
          next++
        } else if (what === 4) table.exited(pid, true)
        else tell(table, pid, what)
      }
      const available = table.pids.filter((pid) => table.find(pid)?.isAvailable)
      return table.isExhausted === (available.length === 0) && (limit === 0 || table.size <= limit)
    },
  )
  t.doesNotThrow(() => {
    fc.assert(property)
  })
  t.end()
})
