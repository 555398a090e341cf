import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'

async function endOf(body: string): Promise<unknown[]> {
  const url = new URL('watchdog.ts', import.meta.url).href
  const source = `import { startWatchdog } from ${JSON.stringify(url)}; startWatchdog(1); ${body}`
  // env -i: the test runner would put a handler for SIGALRM into the process
  const child = spawn('/usr/bin/env', ['-i', process.execPath, '--input-type=module', '-e', source])
  return once(child, 'exit')
}

t.test('a process that hangs ends, one that turns does not', async (t) => {
  const [hanging, turning] = await Promise.all([
    endOf('for (;;) ;'),
    endOf('setTimeout(() => process.exit(3), 1600)'),
  ])
  t.same(hanging, [null, 'SIGALRM'])
  t.same(turning, [3, null])
})
