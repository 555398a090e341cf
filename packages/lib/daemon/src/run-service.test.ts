import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { listenOn, pipePair, socketPair } from '@posthorn/native/socket'
import { ByteStream, connectStream } from '@posthorn/stream/byte-stream'
import { NEXT_CONVERSATION } from '@posthorn/wire/channel-pool'
import { PROCESS_STATE, decodeStatusMessages } from '@posthorn/wire/status-message'

const here = import.meta.dirname

/** A service that echoes lines, `quit` and `stay` end a conversation, `throw` throws. */
const echo = (kind: string): string => `
  import { runService } from '${here}/run-service.ts'
  runService({
    program: 'echo',
    kind: '${kind}',
    start: (context) => ({
      async serve(stream, client) {
        stream.write('hello ' + context.concurrency + ' ' + client.peer.family + '\\n')
        for (;;) {
          const line = await stream.readUntil('\\n', 100)
          if (line === 'throw') throw new Error('asked to')
          if (line === 'quit') return
          if (line === 'stay') {
            stream.write(client.stay() ? 'stays\\n' : 'ends\\n')
            return
          }
          if (line === 'hang') for (;;);
          if (line === 'leave') context.exitWhenIdle('told to leave')
          stream.write(line + '\\n')
        }
      },
      trigger(octets) { console.log('trigger ' + JSON.stringify(octets)) },
      stop() { console.log('stopped') },
    }),
  })`

interface Master {
  child: ChildProcess
  status: ByteStream
  output: () => string
  connect: () => Promise<ByteStream>
  nextStates: (count: number) => Promise<number[]>
  exited: Promise<number | null>
}

/** Starts the service as master(8) would. */
function startService(
  t: Test,
  kind: string,
  options: { args?: string[]; env?: Record<string, string>; mainCf?: string } = {},
): Master {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-')) // the path of a socket must be short
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  for (const name of ['conf', 'q/pid', 'q/private']) {
    mkdirSync(`${directory}/${name}`, { recursive: true })
  }
  const script = `${directory}/service.ts`
  writeFileSync(script, echo(kind))
  writeFileSync(
    `${directory}/conf/main.cf`,
    `queue_directory = ${directory}/q\nmaillog_file =\nsyslog_name = test\n${options.mainCf ?? ''}\n`,
  )
  const path = `${directory}/q/private/echo`
  const listener = listenOn({ family: 'unix', path }, { backlog: 20 })
  const [flowRead, flowWrite] = pipePair()
  const [ours, theirs] = socketPair()
  const environment = {
    MAIL_CONFIG: `${directory}/conf`,
    GENERATION: '17',
    MAIL_LOGTAG: 'test',
    ...options.env,
  }
  // env(1) takes away what a test runner gives its children: its signal handlers would keep SIGALRM from its effect
  const child = spawn(
    '/usr/bin/env',
    [
      '-i',
      ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      ...[process.execPath, script, '-n', 'echo', '-t', 'unix', '-V', ...(options.args ?? [])],
    ],
    { stdio: ['ignore', 'pipe', 'pipe', flowRead.fd, flowWrite.fd, theirs.fd, listener.fd] },
  )
  for (const given of [flowRead, flowWrite, theirs, listener]) given.close()
  const status = new ByteStream(ours, { timeoutMs: 10_000 })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (octets: Buffer) => {
      output += octets.toString()
    })
  }
  t.teardown(() => {
    status.close()
    child.kill('SIGKILL')
  })
  return {
    child,
    status,
    output: () => output,
    connect: async () => {
      const client = await connectStream({ family: 'unix', path }, { timeoutMs: 10_000 })
      t.teardown(() => {
        client.close()
      })
      return client
    },
    nextStates: async (count) => {
      const { messages } = decodeStatusMessages(await status.readExactly(12 * count))
      for (const message of messages) {
        t.equal(message.pid, child.pid)
        t.equal(message.generation, 0o17, 'GENERATION is octal')
      }
      return messages.map((message) => message.state)
    },
    exited: once(child, 'close').then(([code]) => (typeof code === 'number' ? code : null)),
  }
}

const { taken, available, shares, leaving } = PROCESS_STATE

t.test('runService() single: one client at a time, TAKEN before and AVAIL after', async (t) => {
  const master = startService(t, 'single')
  const first = await master.connect()
  t.equal(await first.readUntil('\n', 100), 'hello 1 unix')
  t.same(await master.nextStates(1), [taken])
  const second = await master.connect()
  first.write('one\n')
  t.equal(await first.readUntil('\n', 100), 'one')
  t.equal(second.buffered, '', 'the second client waits in the backlog')
  first.write('quit\n')
  t.notOk(await first.fill(), 'the skeleton closes the connection')
  t.same(await master.nextStates(2), [available, taken])
  t.equal(await second.readUntil('\n', 100), 'hello 1 unix')

  master.status.close() // reload: finish the client, then leave
  second.write('still here\n')
  t.equal(await second.readUntil('\n', 100), 'still here')
  second.write('quit\n')
  t.equal(await master.exited, 0)
  t.match(master.output(), 'stopped')
})

t.test('runService() single with a share serves that many at once', async (t) => {
  const master = startService(t, 'single', { env: { POSTHORN_SHARE: '2' } })
  t.same(await master.nextStates(1), [shares])
  const clients = [await master.connect(), await master.connect(), await master.connect()]
  const [first, second, third] = clients as [ByteStream, ByteStream, ByteStream]
  t.equal(await first.readUntil('\n', 100), 'hello 2 unix')
  t.equal(await second.readUntil('\n', 100), 'hello 2 unix')
  t.same(await master.nextStates(1), [taken])
  second.write('quit\n')
  t.same(await master.nextStates(2), [available, taken])
  t.equal(await third.readUntil('\n', 100), 'hello 2 unix')
  third.write('throw\n')
  t.same(await master.nextStates(1), [available])
  first.write('quit\n')
  t.notOk(await first.fill())
  master.status.close()
  t.equal(await master.exited, 0)
  t.match(master.output(), 'warning: asked to', 'a client that fails costs a line, no more')
})

t.test('runService() multi serves all that come, and tells master once', async (t) => {
  const master = startService(t, 'multi', { args: ['-m', '2'] })
  const clients = [await master.connect(), await master.connect()] as [ByteStream, ByteStream]
  for (const client of clients) t.equal(await client.readUntil('\n', 100), 'hello Infinity unix')
  for (const client of clients) client.write('quit\n')
  t.same(await master.nextStates(2), [taken, available])
  t.equal(await master.exited, 0, 'max_use is reached and nobody is left')
})

t.test('runService() leaves after max_use clients', async (t) => {
  const master = startService(t, 'single', { args: ['-m', '1'] })
  const client = await master.connect()
  client.write('quit\n')
  t.equal(await master.exited, 0)
})

t.test(
  'runService() with a share leaves after max_use times share times factor clients',
  async (t) => {
    const args = ['-m', '1', '-o', 'service_worker_use_factor=2']
    const master = startService(t, 'single', { args, env: { POSTHORN_SHARE: '2' } })
    for (let served = 0; served < 4; served++) {
      const client = await master.connect()
      t.equal(await client.readUntil('\n', 100), 'hello 2 unix', `client ${served + 1}`)
      client.write('quit\n')
      t.notOk(await client.fill())
      client.close()
    }
    t.equal(await master.exited, 0)
  },
)

t.test('runService() with a share keeps a connection for another conversation', async (t) => {
  const master = startService(t, 'single', { env: { POSTHORN_SHARE: '2' } })
  t.same(await master.nextStates(1), [shares])
  const [first, second] = [await master.connect(), await master.connect()]
  for (const turn of [1, 2]) {
    t.equal(await first.readUntil('\n', 100), 'hello 2 unix', `conversation ${turn}`)
    first.write('stay\n')
    t.equal(await first.readUntil('\n', 100), 'stays')
    first.write(NEXT_CONVERSATION)
  }
  t.equal(await first.readUntil('\n', 100), 'hello 2 unix', 'conversation 3')
  first.write('quit\n')
  t.notOk(await first.fill())

  second.write('stay\n')
  t.match(await second.readUntil('\n', 100), 'hello')
  await second.readUntil('\n', 100)
  second.write('quit\n')
  t.notOk(await second.fill(), 'something else than a request ends the connection')
})

t.test('runService() with a share hangs up on a kept connection when it is full', async (t) => {
  const master = startService(t, 'single', { env: { POSTHORN_SHARE: '2' } })
  const kept = await master.connect()
  kept.write('stay\n')
  await kept.readUntil('stays\n', 100)
  const clients = [await master.connect(), await master.connect()] as const
  for (const client of clients) t.equal(await client.readUntil('\n', 100), 'hello 2 unix')
  t.same(await master.nextStates(2), [shares, taken], 'a kept connection takes no room')
  t.notOk(await kept.fill(), 'its client finds a process that has room')
})

t.test('runService() says its last words on a connection that it would have kept', async (t) => {
  const args = ['-m', '1', '-o', 'service_worker_use_factor=1']
  const master = startService(t, 'single', { args, env: { POSTHORN_SHARE: '2' } })
  const client = await master.connect()
  for (const turn of [1, 2]) {
    t.equal(await client.readUntil('\n', 100), 'hello 2 unix', `conversation ${turn}`)
    client.write('stay\n')
    t.equal(await client.readUntil('\n', 100), 'stays')
    if (turn === 1) client.write(NEXT_CONVERSATION)
  }
  t.notOk(await client.fill())
  t.equal(await master.exited, 0, 'max_use is reached')
})

t.test('runService() leaves though a connection is kept', async (t) => {
  const master = startService(t, 'single', { env: { POSTHORN_SHARE: '2' } })
  const kept = await master.connect()
  kept.write('stay\n')
  await kept.readUntil('stays\n', 100)
  master.status.close()
  t.equal(await master.exited, 0)
})

t.test('runService() single keeps no connection: others wait for the process', async (t) => {
  const master = startService(t, 'single')
  const client = await master.connect()
  client.write('stay\n')
  await client.readUntil('ends\n', 100)
  t.notOk(await client.fill())
})

t.test('runService() leaves after max_idle', async (t) => {
  const master = startService(t, 'single', { args: ['-i', '1s'] })
  t.equal(await master.exited, 0)
})

t.test('runService() leaves when the service asks, after its clients', async (t) => {
  const master = startService(t, 'single', { env: { POSTHORN_SHARE: '5' } })
  t.same(await master.nextStates(1), [shares])
  const client = await master.connect()
  client.write('leave\n')
  await client.readUntil('\n', 100)
  t.same(await master.nextStates(1), [leaving], 'master does not count on it any more')
  client.write('quit\n')
  t.equal(await master.exited, 0)
  t.match(master.output(), 'told to leave')
})

t.test('runService() is ended when its event loop hangs', async (t) => {
  const master = startService(t, 'single', { mainCf: 'daemon_timeout = 1s' })
  const client = await master.connect()
  client.write('hang\n')
  await master.exited
  t.equal(master.child.signalCode, 'SIGALRM')
})

t.test('runService() -D runs debugger_command, and waits for it', async (t) => {
  const directory = t.testdir({})
  const master = startService(t, 'single', {
    args: ['-D', '-o', 'who = $$0 $process_name $service_name'],
    env: { TZ: 'UTC', PATH: '/nonexistent', SECRET: 'x' },
    mainCf: `debugger_command = /usr/bin/env > ${directory}/env; echo "$who" $process_id $$$$ > ${directory}/out`,
  })
  const client = await master.connect()
  await client.readUntil('\n', 100)
  const [name, process, service, pid, shell] = readFileSync(`${directory}/out`, 'latin1').split(
    /\s/,
  )
  t.same([name, process, service, Number(pid)], ['/bin/sh', 'echo', 'echo', master.child.pid])
  t.not(shell, pid, 'the command is a process of its own')
  const environment = readFileSync(`${directory}/env`, 'latin1')
  t.match(environment, /^MAIL_CONFIG=/m)
  t.match(environment, /^MAIL_LOGTAG=test$/m)
  t.notMatch(environment, /^(PATH=\/nonexistent|SECRET|GENERATION)/m, 'import_environment')
  t.match(master.output(), `test/echo: running: /usr/bin/env > ${directory}/env; echo "$0 echo`)
})

t.test('runService() trigger', async (t) => {
  const master = startService(t, 'trigger')
  const client = await master.connect()
  client.write('W\0')
  t.notOk(await client.fill(), 'no reply')
  t.same(await master.nextStates(2), [taken, available])
  master.status.close()
  t.equal(await master.exited, 0)
  t.match(master.output(), String.raw`trigger "W\u0000"`)
})

t.test('runService() refuses to start', async (t) => {
  const wrong: [string[], Record<string, string>, string][] = [
    [['-o', 'max_use=many'], {}, 'bad numerical configuration'],
    [['-Q'], {}, 'test/echo: fatal: invalid option: Q'],
    [['-D'], {}, 'fatal: no debugger_command variable set up'],
    [[], { MAIL_DEBUG: '1' }, 'fatal: no debugger_command variable set up'],
    [['-u', '-o', 'mail_owner=nosuchuser'], {}, 'user nosuchuser has no passwd entry'],
    [[], { GENERATION: '' }, 'bad generation: '],
    [['-t', 'inet', '-t', 'unix-dgram'], {}, 'unsupported transport type'],
    [[], { GENERATION: 'x' }, 'bad generation'],
  ]
  for (const [args, env, text] of wrong) {
    const master = startService(t, 'single', { args, env })
    t.equal(await master.exited, 1)
    t.match(master.output(), text)
  }
})

t.test('runService() -S serves standard input and output', async (t) => {
  const directory = t.testdir({ 'main.cf': '' })
  writeFileSync(`${directory}/service.ts`, echo('single'))
  writeFileSync(`${directory}/main.cf`, `queue_directory = ${directory}\n`)
  const child = spawn(process.execPath, [`${directory}/service.ts`, '-S'], {
    env: { MAIL_CONFIG: directory },
  })
  let output = ''
  child.stdout.on('data', (octets: Buffer) => {
    output += octets.toString()
  })
  child.stdin.write('one\nquit\n')
  const [code] = (await once(child, 'close')) as [number]
  t.equal(code, 0)
  t.equal(output, 'hello 1 unix\none\nstopped\n')
})
