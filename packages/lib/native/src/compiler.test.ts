import { execa } from 'execa'
import t from 'tap'

/** After how many calls V8 has compiled a function well. */
async function callsUntilOptimised(prelude: string): Promise<number> {
  const url = new URL('compiler.ts', import.meta.url).href
  const source = `
    import { compileSooner } from ${JSON.stringify(url)}
    import { setTimeout as sleep } from 'node:timers/promises'
    ${prelude}
    const add = (list) => { let sum = 0; for (const one of list) sum += one; return sum }
    let calls = 0
    while ((%GetOptimizationStatus(add) & 16) === 0) {
      for (let more = 0; more < 20; more++) add([calls++, 1, 2, 3])
      await sleep(1) // compiling is another thread's work
    }
    console.log(calls)`
  // env -i: no hooks of the test runner
  const node = [process.execPath, '--allow-natives-syntax', '--input-type=module', '-e', source]
  const { stdout } = await execa('/usr/bin/env', ['-i', ...node])
  return Number(stdout)
}

t.test('functions are compiled after fewer calls', async (t) => {
  const usual = await callsUntilOptimised('')
  const sooner = await callsUntilOptimised('compileSooner()')
  t.ok(sooner < usual / 2, `${sooner} calls instead of ${usual}`)
})
