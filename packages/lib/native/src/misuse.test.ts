import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'

const folder = mkdtempSync(join(tmpdir(), 'posthorn-native-'))
t.teardown(() => {
  rmSync(folder, { recursive: true })
})

const PRELUDE = `
  import assert from 'node:assert/strict'
  import { closeSync, openSync, readdirSync } from 'node:fs'
  import { Worker } from 'node:worker_threads'
  const here = ${JSON.stringify(import.meta.dirname)}
  const openCount = () => readdirSync('/proc/self/fd').length
  const turn = () => new Promise((resolve) => setImmediate(resolve))
`

/** Runs a script in a process of its own: an abort is then an exit by signal, and anything but status 0 is a failure. */
async function run(script: string, shell = ''): Promise<string> {
  const node = [process.execPath, '--expose-gc', '--input-type=module', '-e', PRELUDE + script]
  const child = spawn('/bin/sh', ['-c', `${shell} exec "$@"`, 'sh', ...node], {
    cwd: folder,
    env: {},
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (octets: Buffer) => {
      output += octets.toString()
    })
  }
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null]
  return status === 0 ? 'survived' : `${signal ?? `status ${status ?? ''}`}: ${output}`
}

t.test('the addon survives 20000 calls with anything, and keeps no descriptor', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  t.comment(`seed ${seed}`)
  const outcome = await run(`
    const { native } = await import(here + '/load.ts')
    let state = ${seed}
    const random = (below) => (state = (state * 1103515245 + 12345) % 2147483648) % below
    const detached = Buffer.alloc(64)
    structuredClone(detached.buffer, { transfer: [detached.buffer] })
    const throwing = Object.defineProperty([], 0, { get() { throw new RangeError('from a getter') } })
    const odd = [
      undefined, null, true, false, '', 'x', 'name', '/', '127.0.0.1', '::1', '::1%lo', 'a\\0b', 'x'.repeat(107), 'x'.repeat(5000),
      'x'.repeat(70000), '\\u{1f4e7}', {}, [], [0, 'x'], [0], [-1, 'x'], [0, 5], ['x', 0], new Array(1e6), throwing, NaN, -0, -1, 0.5, 1e300, Infinity,
      2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, 99999, 0, 1, 2, 3, 4, 6, 8, Symbol('x'), () => 0, 1n, new Date(0), Buffer.alloc(0), Buffer.alloc(10),
      detached, new Float64Array(3), new DataView(new ArrayBuffer(8)), new Uint8Array(new SharedArrayBuffer(8)), new Proxy([], {}), Object.create(null),
    ]
    const skip = new Set(['becomeUser', 'changeRoot', 'startSession', 'setAlarm', 'setDispatcher', 'close'])
    const names = Object.keys(native).filter((name) => !skip.has(name))
    const opening = new Set(['connect', 'listen', 'accept', 'receiveDescriptor', 'connectDatagram', 'bindDatagram', 'socketPair', 'pipePair'])
    native.socketPair().forEach((fd) => native.close(fd))
    await turn()
    let before
    for (let round = 0; round < 200; round++) {
      const scratch = [...native.socketPair(), ...native.pipePair(), openSync('/dev/null', 'r+')]
      for (let i = 0; i < 100; i++) {
        const name = names[random(names.length)]
        const isFirst = (at) => at === 0 && random(3) > 0
        const args = Array.from({ length: random(8) }, (_, at) => isFirst(at) ? scratch[random(5)] : odd[random(odd.length)])
        // standard descriptors are the test's own
        if (args[0] === 0 || args[0] === 1 || args[0] === 2 || (name === 'storeFile' && args[6] === true)) continue
        if (name === 'flockWait') args[1] = 8
        try {
          const result = await native[name](...args)
          if (opening.has(name)) for (const fd of [result].flat()) if (fd >= 0) native.close(fd)
        } catch (error) {
          assert.ok(error instanceof TypeError || error instanceof RangeError || /Cannot/.test(error.message), name + ' ' + error.stack)
        }
      }
      for (const fd of scratch) { native.unwatch(fd); native.close(fd) }
      if (round === 20) before = openCount() // everything that is opened once is open
    }
    assert.equal(openCount(), before)
  `)
  t.equal(outcome, 'survived', `seed ${seed}`)
})

t.test('a descriptor that was closed throws, whatever is done with it', async (t) => {
  const outcome = await run(`
    const { Descriptor } = await import(here + '/descriptor.ts')
    const { Acceptor, listenOn, socketPair } = await import(here + '/socket.ts')
    const { DatagramSocket } = await import(here + '/datagram.ts')
    const { startWatching, stopWatching } = await import(here + '/poller.ts')
    socketPair().forEach((one) => one.watch(() => 0) ?? one.close())
    const before = openCount()
    const [a, b] = socketPair()
    b.watch(() => 0)
    b.close()
    b.close()
    b.unwatch()
    assert.equal(b.isOpen, false)
    const uses = [(d) => d.watch(() => 0), (d) => d.read(Buffer.alloc(1)), (d) => d.readText(), (d) => d.write('x'), (d) => d.release(),
      (d) => d.receiveDescriptor(), (d) => d.sendDescriptor(a), (d) => a.sendDescriptor(d), (d) => d.peerCredentials(), (d) => d.bytesReadable()]
    for (const use of uses) assert.throws(() => use(b), /it was closed or given away/)
    assert.equal(a.isOpen, true)
    assert.throws(() => Descriptor.adopt(-1), { code: 'EBADF' })
    assert.throws(() => startWatching(-1, 0, () => 0), { code: 'EBADF' })
    // a watcher that is stopped twice must not stop others: this process would end before its time
    const [c, d] = socketPair()
    const token = startWatching(c.fd, 0, () => 0)
    const woken = new Promise((resolve) => d.watch(resolve))
    stopWatching(c.fd, token)
    stopWatching(c.fd, token)
    setTimeout(() => c.write('x'), 20).unref()
    await woken
    const listener = listenOn({ family: 'inet', address: '127.0.0.1', port: 0 }, { backlog: 1 })
    const acceptor = new Acceptor(listener, () => 0)
    acceptor.close()
    acceptor.close()
    acceptor.pause()
    assert.throws(() => acceptor.resume(), /it was closed/)
    assert.throws(() => DatagramSocket.bind('no/such/folder'), { code: 'ENOENT' })
    const socket = DatagramSocket.bind('datagrams', 0o600)
    socket.close()
    socket.close()
    assert.throws(() => socket.send('x'), /it was closed/)
    for (const one of [a, c, d]) one.close()
    assert.equal(openCount(), before)
  `)
  t.equal(outcome, 'survived')
})

t.test('the addon serves one thread; another is refused, and may end', async (t) => {
  const refused = await run(`
    const { socketPair } = await import(here + '/socket.ts')
    const source = 'import(' + JSON.stringify(here + '/load.ts') + ').then(() => process.exit(9))'
    const [a, b] = socketPair()
    const woken = new Promise((resolve) => b.watch(resolve))
    const worker = new Worker(source, { eval: true })
    const error = await new Promise((resolve) => worker.once('error', resolve))
    assert.match(error.message, /Cannot load posthorn-native twice|did not self-register/)
    a.write('x')
    await woken // the main thread goes on
    for (const one of [a, b]) one.close()
  `)
  t.equal(refused, 'survived')
  const owner = await run(`
    const source = \`
      import { openSync } from 'node:fs'
      import { parentPort } from 'node:worker_threads'
      Promise.all(['socket', 'lock', 'store'].map((name) => import(\${JSON.stringify(here)} + '/' + name + '.ts'))).then(async ([socket, lock, store]) => {
        const [a, b] = socket.socketPair()
        b.watch(() => 0)
        const [x, y] = [1, 2].map(() => openSync('held', 'a'))
        lock.tryLock(x, 'exclusive')
        lock.waitLock(y, 'exclusive') // a thread waits when the worker ends
        parentPort.postMessage('ready')
        for (;;) await store.storeFile({ fd: x, parts: [{ position: 0, octets: Buffer.alloc(100000) }], fsync: true, close: false })
      })\`
    const worker = new Worker(source, { eval: true })
    await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject) })
    await worker.terminate()
    await assert.rejects(import(here + '/load.ts'), /Cannot load posthorn-native twice|did not self-register/)
    process.exit(0)
  `)
  t.equal(owner, 'survived')
})

t.test('what the garbage collector takes away is not used', async (t) => {
  const outcome = await run(`
    const { native } = await import(here + '/load.ts')
    const { socketPair } = await import(here + '/socket.ts')
    let woken = 0
    const numbers = []
    for (let i = 0; i < 200; i++) {
      const [a, b] = socketPair()
      b.watch(() => { woken++ })
      numbers.push(a.fd, b.fd)
      a.write('x')
    }
    gc()
    while (woken < 200) await turn()
    for (const fd of numbers) closeSync(fd)
    const jobs = []
    for (let i = 0; i < 200; i++) {
      const parts = [0, Buffer.alloc(200_000, 97), 200_000, Buffer.from('b'.repeat(5000)), 205_000, 'c'.repeat(70_000)]
      const fd = openSync('gc-' + i, 'w')
      jobs.push(native.storeFile(fd, parts, '', '', -1, false, true))
      parts.fill(null) // the addon has its own hold on the Buffers
      if (i % 20 === 0) gc()
    }
    gc()
    for (const result of await Promise.all(jobs)) assert.equal(result, undefined)
    const { readFileSync } = await import('node:fs')
    for (let i = 0; i < 200; i++) assert.match(readFileSync('gc-' + i, 'latin1'), /^a{200000}b{5000}c{70000}$/)
    process.exit(0) // watchers that nobody stopped keep a process alive
  `)
  t.equal(outcome, 'survived')
})

t.test('a process without free descriptors fails call by call, and recovers', async (t) => {
  const outcome = await run(
    `
    const { Acceptor, connectTo, listenOn, localAddress, pipePair, socketPair } = await import(here + '/socket.ts')
    const { DatagramSocket } = await import(here + '/datagram.ts')
    const { waitLock, tryLock } = await import(here + '/lock.ts')
    const listener = listenOn({ family: 'inet', address: '127.0.0.1', port: 0 }, { backlog: 5 })
    const address = localAddress(listener)
    const [carrier, other] = socketPair()
    const [reader, writer] = pipePair()
    other.watch(() => 0)
    const client = connectTo(address)
    carrier.sendDescriptor(writer)
    const locks = [openSync('limit', 'a'), openSync('limit', 'a')]
    tryLock(locks[0], 'exclusive')
    const filling = []
    try { for (;;) filling.push(openSync('/dev/null')) } catch {}
    const full = { code: 'EMFILE' }
    for (let i = 0; i < 100; i++) {
      assert.throws(() => socketPair(), full)
      assert.throws(() => pipePair(), full)
      assert.throws(() => connectTo(address), full)
      assert.throws(() => listenOn(address, { backlog: 1 }), full)
      assert.throws(() => DatagramSocket.connect('x'), full)
      await assert.rejects(waitLock(locks[1], 'exclusive'), full)
    }
    const accepted = new Promise((resolve) => {
      const acceptor = new Acceptor(listener, (descriptor) => { acceptor.close(); descriptor.close(); resolve() })
      acceptor.resume()
    })
    await turn()
    await turn()
    assert.throws(() => other.receiveDescriptor(), { code: 'EBADMSG' }, 'the kernel had no number for it')
    for (const fd of filling) closeSync(fd)
    await accepted // a second later
    for (const one of [carrier, other, reader, client]) one.close()
  `,
    'ulimit -n 60;',
  )
  t.equal(outcome, 'survived')
})

t.test('SIGUSR1 ends the process instead of opening an inspector', async (t) => {
  const outcome = await run(`
    await import(here + '/load.ts')
    process.kill(process.pid, 'SIGUSR1')
    setInterval(() => 0, 1000)
  `)
  t.match(outcome, /^SIGUSR1/)
})
