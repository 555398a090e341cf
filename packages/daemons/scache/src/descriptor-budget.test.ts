/**
 * descriptor-budget.test - clients first, connections in what is left
 */
import t from 'tap'
import { DescriptorBudget, parseOpenFiles } from './descriptor-budget.ts'

t.test('clients and connections share what the process has', (t) => {
  const budget = new DescriptorBudget(64, 24)
  t.equal(budget.clientLimit, 16)
  t.equal(budget.connectionLimit(1), 31)
  t.equal(budget.connectionLimit(16), 16)
  t.equal(budget.connectionLimit(100), 1)
  t.end()
})

t.test('however little there is, one of each is possible', (t) => {
  const budget = new DescriptorBudget(20, 30)
  t.equal(budget.clientLimit, 1)
  t.equal(budget.connectionLimit(5), 1)
  t.end()
})

t.test('however much there is, connections have a limit', (t) => {
  t.equal(new DescriptorBudget(1_000_000, 24).connectionLimit(10), 20_000)
  t.end()
})

t.test('parseOpenFiles() reads what proc(5) shows', (t) => {
  const head = 'Limit                     Soft Limit           Hard Limit           Units\n'
  const line = (soft: string): string => `${head}Max open files            ${soft}   4096   files\n`
  t.equal(parseOpenFiles(line('1024')), 1024)
  t.equal(parseOpenFiles(line('unlimited')), undefined)
  t.equal(parseOpenFiles(head), undefined)
  t.ok(DescriptorBudget.ofProcess().clientLimit > 1)
  t.end()
})
