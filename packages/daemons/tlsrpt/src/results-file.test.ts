/**
 * results-file.test - what is written is read again; what is damaged is set aside; the journal survives a cut
 */
import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { captureLog } from '@posthorn/log/capture-log'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import t from 'tap'
import { PeriodResults } from './period-results.ts'
import { loadResults, saveResults } from './results-file.ts'
import { SentJournal } from './sent-journal.ts'
import { expired, failed, noPolicy, noStartTls, session, stsPolicy } from './test/sample-results.ts'

const period = { startSeconds: 1_795_996_800, endSeconds: 1_796_083_200 }

function sample(): PeriodResults {
  const results = new PeriodResults()
  results.add(session(stsPolicy))
  results.add(session(failed(stsPolicy, expired, noStartTls)))
  results.add(session(failed(stsPolicy, { ...expired, receivingMxHelo: 'b\xc3\xbccher "\\' })))
  results.add(session(failed(stsPolicy, expired)))
  results.add(session(noPolicy, { recipientDomain: 'other.example', record: 'v=TLSRPTv1;' }))
  return results
}

t.test('saveResults() writes what loadResults() reads', async (t) => {
  const path = `${temporaryDirectory(t)}/results-1`
  await saveResults(path, period, sample())
  const loaded = await loadResults(path)
  t.same(loaded?.period, period)
  t.same(loaded?.results.domains, sample().domains)
  t.notOk(existsSync(`${path}.tmp`))
  const [head, first] = readFileSync(path, 'latin1').split('\n')
  t.equal(head, 'tlsrpt 1 1795996800 1796083200')
  t.match(first, /^\[1,3,\[2,1,1\],\{"dpv":"1","d":"company-y.example",/)
})

t.test('large results are written in slices, and stay whole', async (t) => {
  const path = `${temporaryDirectory(t)}/results-1`
  const results = new PeriodResults()
  for (let i = 0; i < 1000; i++) {
    results.add(session(failed(stsPolicy, noStartTls), { recipientDomain: `d${i}.example` }))
  }
  await saveResults(path, period, results)
  t.ok(readFileSync(path).length > 3 * 64 * 1024)
  t.same((await loadResults(path))?.results.domains, results.domains)
})

t.test('loadResults() sets a damaged file aside', async (t) => {
  const path = `${temporaryDirectory(t)}/results-1`
  await saveResults(path, period, sample())
  const whole = readFileSync(path, 'latin1')
  const log = captureLog()
  t.teardown(() => {
    log.restore()
  })
  const damaged = [
    '',
    'x',
    whole.slice(0, -1),
    whole.slice(0, whole.length / 2),
    whole.replace('end 2', 'end 3'),
    whole.replace('[1,3,', '[1,-3,'),
    whole.replace('"policy-type":2', '"policy-type":3'),
    whole.replace('other.example', '../../etc/x'),
    whole.replace('tlsrpt 1', 'tlsrpt 2'),
    whole.replace('1796083200', '1'),
  ]
  for (const text of damaged) {
    writeFileSync(path, text, 'latin1')
    t.equal(await loadResults(path), undefined)
    t.notOk(existsSync(path))
    t.equal(readFileSync(`${path}.damaged`, 'latin1'), text)
    t.match(
      log.lines.pop(),
      /^warning: .*\/results-1: Cannot .*; it is now .*\/results-1\.damaged$/,
    )
  }
  await t.rejects(loadResults(path), { code: 'ENOENT' })
})

t.test('SentJournal remembers, and a line that was cut does not count', async (t) => {
  const path = `${temporaryDirectory(t)}/sent-1`
  const first = await SentJournal.load(path)
  await first.add('a.example', 'mailto:x@a.example')
  await first.add('b.example', 'mailto:x@b.example')
  t.ok(first.has('b.example', 'mailto:x@b.example'))
  truncateSync(path, readFileSync(path).length - 5)

  const second = await SentJournal.load(path)
  t.ok(second.has('a.example', 'mailto:x@a.example'))
  t.notOk(second.has('b.example', 'mailto:x@b.example'))
  await second.add('c.example', 'mailto:x@c.example')
  appendFileSync(path, '["d.example"')

  const third = await SentJournal.load(path)
  t.ok(third.has('a.example', 'mailto:x@a.example'))
  t.ok(third.has('c.example', 'mailto:x@c.example'))
  t.notOk(third.has('b.example', 'mailto:x@b.example'))
  t.notOk(third.has('c.example', 'mailto:x@a.example'))
})
