import { execa } from 'execa'
import t from 'tap'

t.test('a process that has become quiet gives back what its work left', async (t) => {
  const url = new URL('heap-care.ts', import.meta.url).href
  const source = `
    import { careForHeap } from ${JSON.stringify(url)}
    careForHeap()
    import { getHeapStatistics } from 'node:v8'
    const used = () => getHeapStatistics().used_heap_size / 2 ** 20
    let kept = []
    for (const end = performance.now() + 300; performance.now() < end || used() < 60; ) kept.push(['x', kept.length])
    kept = undefined
    const before = used()
    const wait = setInterval(() => {
      if (used() > before / 2) return
      clearInterval(wait)
      console.log('less')
    }, 500) // seldom: who looks often is not quiet`
  // env -i: no hooks of the test runner
  const node = [process.execPath, '--input-type=module', '-e', source]
  const { stdout } = await execa('/usr/bin/env', ['-i', ...node], { timeout: 20_000 })
  t.equal(stdout, 'less')
})
