import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import t from 'tap'
import { expandTemplate } from './expand-template.ts'
import { showTemplates } from './show-templates.ts'
import { builtInTemplates } from './template.ts'
import { parseTemplates } from './template-file.ts'
import { wrapLine } from './wrap-line.ts'

const builtIn = builtInTemplates(false)
const config = MainConfig.of({
  myhostname: 'xn--bcher-kva.test',
  maximal_queue_lifetime: '5d',
  smtputf8_enable: 'yes',
})

t.test('parseTemplates() reads back what showTemplates() shows', (t) => {
  const source = showTemplates(builtIn, config, false)
  const read = parseTemplates(source, 'file', builtInTemplates(true))
  for (const name of ['failure', 'delay', 'success', 'verify'] as const) {
    t.same(read[name], { ...builtIn[name], origin: 'file' })
  }
  t.end()
})

t.test('parseTemplates() uses the built-in template instead of a faulty one', (t) => {
  const log = captureLog()
  const faults = [
    'X-Header: no\n\ntext\n',
    'Subject:\n\ntext\n',
    'Subject: x\n',
    'text \xe9\n',
    'Subject: \xe9\n\ntext\n',
    '',
    'Subject: x\nnot a header\n',
  ]
  for (const fault of faults) {
    const read = parseTemplates(`# x\n\nfailure_template = <<X\n${fault}X\n`, 'f', builtIn)
    t.equal(read.failure, builtIn.failure, fault)
  }
  t.equal(
    parseTemplates('success_template=<<X\nPostmaster-Subject: x\n\ny\nX\n', 'f', builtIn).success,
    builtIn.success,
  )
  t.equal(log.lines.length, faults.length + 1)
  log.restore()
  const good = parseTemplates('delay_template = <<E\ncharset: utf-8\n\n \xe9 $$\nE\n', 'f', builtIn)
  t.match(good.delay, { charset: 'utf-8', subject: builtIn.delay.subject, text: [' \xe9 $$'] })
  for (const bad of ['failure_template = <<X\ntext\n', 'nonsense\n']) {
    t.throws(() => parseTemplates(bad, 'f', builtIn), /want NAME_template/)
  }
  t.end()
})

t.test('expandTemplate() knows times in units, and refuses unknown names', (t) => {
  const expand = (...text: string[]): string[] => expandTemplate({ ...builtIn.delay, text }, config)
  t.same(
    expand('$myhostname', '$$x ${maximal_queue_lifetime_hours} $(maximal_queue_lifetime_days)'),
    ['b\xc3\xbccher.test', '$x 120 5'],
  )
  const log = captureLog()
  t.same(expand('$delay_warning_time_weeks'), ['0'])
  log.restore()
  t.equal(log.lines.length, 3)
  t.throws(() => expand('$no_such_name'), /unknown parameter/)
  t.throws(() => expand('$delay_warning_time_years'), /unknown time unit/)
  t.end()
})

t.test('wrapLine() breaks at blanks', (t) => {
  const word = (length: number): string => 'x'.repeat(length)
  t.same(wrapLine(word(100)), [word(100)])
  t.same(wrapLine(`${word(39)} ${word(39)}`), [`${word(39)} ${word(39)}`], '79 columns fit')
  t.same(wrapLine(`${word(39)} ${word(40)}`), [word(39), `    ${word(40)}`])
  t.same(wrapLine(`a ${word(90)} b  c`), ['a', `    ${word(90)}`, '    b  c'])
  t.same(wrapLine(''), [''])
  t.end()
})
