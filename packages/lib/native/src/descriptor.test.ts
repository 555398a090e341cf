import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Descriptor, HANGUP, READABLE, WRITABLE } from './descriptor.ts'
import { native } from './load.ts'
import { pipePair, socketPair } from './socket.ts'

function openCount(): number {
  return readdirSync('/proc/self/fd').length
}

async function nextEvent(d: Descriptor): Promise<number> {
  return new Promise((resolve) => {
    d.watch(resolve)
  })
}

t.test('read() and readText() give octets, would-block and the end', (t) => {
  const [a, b] = socketPair()
  t.equal(b.readText(), undefined)
  t.equal(b.maybeReadable, false)
  t.equal(a.write('h\xe9\0llo'), 6)
  t.equal(b.bytesReadable(), 6)
  t.equal(b.readText(2), 'h\xe9')
  t.equal(b.maybeReadable, true, 'as much as asked for: there may be more')
  const into = Buffer.alloc(100)
  t.equal(b.read(into), 4)
  t.equal(into.toString('latin1', 0, 4), '\0llo')
  t.equal(b.maybeReadable, false)
  t.equal(b.read(into), -1)
  a.close()
  t.equal(b.read(into), 0)
  t.equal(b.readText(), '')
  t.throws(() => b.write('x'), { code: 'EPIPE', syscall: 'write', message: 'write: Broken pipe' })
  b.close()
  b.close()
  t.throws(() => b.fd, /Cannot use descriptor/)
  t.end()
})

t.test('write() stops where the kernel stops, and goes on after an event', async (t) => {
  const [a, b] = socketPair()
  const large = 'x'.repeat(3_000_000)
  let sent = a.write(large)
  t.ok(sent > 0 && sent < large.length)
  t.equal(a.maybeWritable, false)
  let received = 0
  const drained = new Promise<void>((resolve) => {
    b.watch(() => {
      for (let text = b.readText(); text !== undefined; text = b.readText()) {
        received += text.length
        if (received === large.length) resolve()
      }
    })
  })
  a.watch((ready) => {
    if ((ready & WRITABLE) !== 0 && sent < large.length) sent += a.write(large.slice(sent))
  })
  await drained
  t.equal(sent, large.length)
  a.close()
  b.close()
})

t.test('watch() reports what is ready, edges, and the end', async (t) => {
  const [a, b] = socketPair()
  a.write('x')
  t.equal((await nextEvent(b)) & READABLE, READABLE)
  t.equal(b.readText(), 'x')
  const again = nextEvent(b)
  a.write('y')
  t.equal((await again) & READABLE, READABLE)
  t.equal(b.readText(), 'y')
  t.equal(b.maybeReadable, false)
  const end = nextEvent(b)
  a.close()
  t.equal((await end) & HANGUP, HANGUP)
  t.ok(b.maybeReadable && b.hasHungUp)
  t.equal(b.readText(), '')
  b.close()
})

t.test('the end that came with the last octets is not lost', async (t) => {
  const [a, b] = socketPair()
  a.write('last words')
  a.close()
  await nextEvent(b)
  t.equal(b.readText(), 'last words')
  t.equal(b.maybeReadable, true, 'no other event will come')
  t.equal(b.readText(), '')
  b.close()
})

t.test('a plain file cannot be watched, and says so', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-native-'))
  writeFileSync(join(folder, 'file'), 'text')
  const file = Descriptor.adopt(openSync(join(folder, 'file'), 'r'))
  t.throws(
    () => {
      file.watch(() => 0)
    },
    { code: 'EPERM' },
  )
  t.equal(file.isWatched, false)
  t.equal(file.readText(), 'text')
  file.close()
  rmSync(folder, { recursive: true })
  t.end()
})

t.test('an event on its way to a closed descriptor reaches nobody', async (t) => {
  const pairs = Array.from({ length: 20 }, () => socketPair())
  const strangers: [Descriptor, Descriptor][] = []
  let woken = 0
  await new Promise<void>((resolve) => {
    for (const [, b] of pairs) {
      b.watch(() => {
        woken++
        // the first to wake closes all others, whose events are in the same batch, and reuses their numbers
        for (const [, other] of pairs) other.close()
        for (let i = 0; i < 20; i++) {
          const pair = socketPair()
          pair[1].watch((ready) => {
            t.fail(`event ${ready} for a fresh descriptor`)
          })
          strangers.push(pair)
        }
        setImmediate(() => setImmediate(resolve))
      })
    }
    for (const [a] of pairs) a.write('x')
  })
  t.equal(woken, 1)
  for (const [a, b] of [...pairs, ...strangers]) {
    a.close()
    b.close()
  }
})

t.test('an exception in a watcher is uncaught, and others still wake', async (t) => {
  const [a, b] = socketPair()
  const [c, d] = socketPair()
  const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve))
  b.watch(() => {
    throw new Error('from a watcher')
  })
  const other = nextEvent(d)
  a.write('x')
  c.write('x')
  t.match(await uncaught, { message: 'from a watcher' })
  t.equal((await other) & READABLE, READABLE)
  for (const descriptor of [a, b, c, d]) descriptor.close()
})

t.test('sendDescriptor() and receiveDescriptor() move ownership', (t) => {
  const [a, b] = socketPair()
  const [reader, writer] = pipePair()
  t.equal(b.receiveDescriptor(), undefined)
  t.equal(a.sendDescriptor(writer), true)
  t.equal(writer.isOpen, false)
  const received = b.receiveDescriptor()
  received?.write('through')
  received?.close()
  t.equal(reader.readText(), 'through')
  t.equal(reader.readText(), '', 'our copy was closed')
  a.write('x')
  t.throws(() => b.receiveDescriptor(), { code: 'EBADMSG' })
  a.close()
  t.throws(() => b.receiveDescriptor(), { code: 'ECONNRESET' })
  t.throws(() => b.sendDescriptor(reader), { code: 'EPIPE' })
  t.equal(reader.isOpen, true, 'not sent: still ours')
  b.close()
  reader.close()
  t.end()
})

t.test('a descriptor shared with another process wakes nobody after close()', async (t) => {
  const [a, b] = socketPair()
  b.watch(() => {
    t.fail('woken after close')
  })
  const child = spawn('cat', { stdio: ['pipe', 'ignore', 'inherit', b.fd] })
  b.close()
  a.write('x')
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  child.stdin?.end()
  await new Promise((resolve) => child.once('exit', resolve))
  t.equal(child.exitCode, 0)
  a.close()
})

t.test('release() gives the number away, open', (t) => {
  const [a, b] = socketPair()
  b.watch(() => 0)
  const fd = b.release()
  t.equal(b.isOpen, false)
  a.write('x')
  const again = Descriptor.adopt(fd)
  t.equal(again.readText(), 'x')
  again.close()
  t.throws(() => Descriptor.adopt(fd), { code: 'EBADF' })
  a.close()
  t.end()
})

t.test('peerCredentials() names this process', (t) => {
  const [a, b] = socketPair()
  t.match(a.peerCredentials(), { pid: process.pid, uid: process.getuid?.() })
  a.close()
  b.close()
  t.end()
})

t.test('1000 failing operations leak nothing', (t) => {
  const before = openCount()
  for (let i = 0; i < 1000; i++) {
    const [a, b] = socketPair()
    b.watch(() => 0)
    a.write('x')
    try {
      b.receiveDescriptor()
    } catch {
      b.close()
    }
    a.close()
  }
  t.equal(openCount(), before)
  t.end()
})

t.test('the addon refuses garbage and survives it', (t) => {
  const garbage: unknown[] = [
    undefined,
    null,
    'x',
    {},
    [],
    NaN,
    -1,
    1e300,
    Symbol('x'),
    () => 0,
    1n,
  ]
  const fd = openSync('/dev/null', 'r')
  const calls = Object.entries(native) as [string, (...args: unknown[]) => unknown][]
  const skip = new Set(['becomeUser', 'changeRoot', 'startSession', 'setDispatcher', 'setAlarm'])
  const opened: number[] = []
  for (const [name, call] of calls) {
    if (skip.has(name)) continue
    for (const value of garbage) {
      for (const args of [
        [value],
        [value, value],
        [-1, value],
        Array.from({ length: 6 }, () => value),
      ]) {
        try {
          const result = call(...args)
          if (name === 'socketPair' || name === 'pipePair') opened.push(...(result as number[]))
        } catch (error) {
          if (!(error instanceof TypeError)) throw error
        }
      }
    }
  }
  for (const descriptor of opened) closeSync(descriptor)
  t.throws(() => native.becomeUser('x', -1, 0), TypeError)
  t.throws(() => native.changeRoot('x'.repeat(5000)), TypeError)
  t.throws(() => {
    native.setDispatcher(new Int32Array(1), undefined as never)
  }, TypeError)
  closeSync(fd)
  t.end()
})
