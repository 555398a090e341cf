/**
 * connection-cache.test - the test vectors of the connection cache, on a virtual clock
 */
import t from 'tap'
import { ConnectionCache } from './connection-cache.ts'

class FakeConnection {
  isOpen = true
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  close(): void {
    this.isOpen = false
  }
}

function newCache(ttlLimitSeconds = 1000) {
  const clock = { ms: 1_000_000_000 }
  const cache = new ConnectionCache<FakeConnection>({ ttlLimitSeconds, now: () => clock.ms })
  const save = (endpoint: string, name: string, ttl = 10): FakeConnection => {
    const connection = new FakeConnection(name)
    cache.saveEndpoint(ttl, endpoint, `properties of ${name}`, connection)
    return connection
  }
  return { clock, cache, save }
}

t.test('a destination without a connection is a miss, and works once there is one', (t) => {
  const { cache, save } = newCache()
  cache.saveDestination(10, 'D1', 'p1', 'E1')
  t.equal(cache.takeDestination('D1'), undefined)
  const fd1 = save('E1', 'fd1')
  t.same(cache.takeDestination('D1'), {
    destinationProperties: 'p1',
    endpointProperties: 'properties of fd1',
    connection: fd1,
  })
  t.equal(cache.takeDestination('D1'), undefined, 'the connection is gone')
  t.equal(cache.destinationCount, 1, 'the binding is not')
  const fd2 = save('E1', 'fd2')
  t.equal(cache.takeEndpoint('E1')?.connection, fd2)
  t.equal(cache.endpointCount, 0)
  t.end()
})

t.test('connections of an endpoint come out first in, first out', (t) => {
  const { cache, save } = newCache()
  const fdA = save('E1', 'fdA')
  const fdB = save('E1', 'fdB')
  t.equal(cache.connectionCount, 2)
  t.equal(cache.endpointCount, 1)
  t.equal(cache.takeEndpoint('E1')?.connection, fdA)
  t.equal(cache.takeEndpoint('E1')?.connection, fdB)
  t.equal(cache.takeEndpoint('E1'), undefined)
  t.equal(cache.connectionCount, 0)
  t.end()
})

t.test('a binding whose endpoint is empty is passed over', (t) => {
  const { cache, save } = newCache()
  cache.saveDestination(10, 'D', 'p1', 'E1')
  cache.saveDestination(10, 'D', 'p2', 'E2')
  const fd = save('E2', 'fd')
  const found = cache.takeDestination('D')
  t.equal(found?.connection, fd)
  t.equal(found?.destinationProperties, 'p2')
  t.end()
})

t.test('two bindings to one endpoint are kept, the older one wins', (t) => {
  const { cache, save } = newCache()
  cache.saveDestination(10, 'D', 'p1', 'E1')
  cache.saveDestination(10, 'D', 'p2', 'E1')
  save('E1', 'fd')
  t.equal(cache.takeDestination('D')?.destinationProperties, 'p1')
  t.end()
})

t.test('saving a binding again makes it live longer', (t) => {
  for (const [findAtSeconds, isHit] of [
    [3, true],
    [5, false],
  ] as const) {
    const { clock, cache, save } = newCache()
    const startMs = clock.ms
    for (const seconds of [0, 1, 2]) {
      clock.ms = startMs + seconds * 1000
      cache.saveDestination(2, 'D', 'p1', 'E1')
    }
    t.equal(cache.destinationCount, 1)
    clock.ms = startMs + findAtSeconds * 1000
    const fd = save('E1', 'fd')
    t.equal(cache.takeDestination('D')?.connection, isHit ? fd : undefined, `t=${findAtSeconds}`)
  }
  t.end()
})

t.test('the time to live is capped, and an expired connection is closed', (t) => {
  const { clock, cache, save } = newCache(2)
  const fd = save('E1', 'fd', 100)
  cache.saveDestination(100, 'D', 'p', 'E1')
  clock.ms += 1000
  cache.dropExpired()
  t.ok(fd.isOpen)
  t.equal(cache.isEmpty, false)
  clock.ms += 1000
  cache.dropExpired()
  t.notOk(fd.isOpen)
  t.equal(cache.connectionCount, 0)
  t.ok(cache.isEmpty)
  t.end()
})

t.test('an expired connection is not handed out, its younger neighbour is', (t) => {
  const { clock, cache, save } = newCache()
  const old = save('E1', 'old', 1)
  const young = save('E1', 'young', 5)
  clock.ms += 1000
  t.equal(cache.takeEndpoint('E1')?.connection, young)
  t.notOk(old.isOpen)
  t.ok(young.isOpen, 'a connection that was handed out is not closed')
  t.end()
})

t.test('keepAtMost() closes those that expire next', (t) => {
  const { cache, save } = newCache()
  const fds = [save('E1', 'a', 30), save('E1', 'b', 10), save('E2', 'c', 20), save('E3', 'd', 10)]
  t.equal(cache.keepAtMost(4), 0)
  t.equal(cache.keepAtMost(2), 2)
  t.same(
    fds.map((fd) => fd.isOpen),
    [true, false, true, false],
  )
  t.equal(cache.endpointCount, 2)
  t.equal(cache.keepAtMost(0), 2)
  t.ok(cache.isEmpty)
  t.end()
})

t.test('what has expired makes room first, and was not closed early', (t) => {
  const { clock, cache, save } = newCache()
  save('E1', 'old', 1)
  const young = save('E1', 'young', 5)
  clock.ms += 1000
  t.equal(cache.keepAtMost(1), 0)
  t.ok(young.isOpen)
  t.end()
})

t.test('texts have a limit; what expires next makes room', (t) => {
  const clock = { ms: 1_000_000_000 }
  const cache = new ConnectionCache<FakeConnection>({
    ttlLimitSeconds: 1000,
    now: () => clock.ms,
    octetsLimit: 3000,
  })
  const fd = new FakeConnection('fd')
  const text = 'x'.repeat(500)
  t.equal(cache.saveEndpoint(20, 'E', text, fd), 0)
  t.equal(cache.saveDestination(10, 'D1', text, 'E'), 0)
  t.equal(cache.saveDestination(30, 'D2', text, 'E'), 0)
  t.equal(cache.saveDestination(30, 'D3', text, 'E'), 0)
  t.equal(cache.destinationCount, 2, 'the binding of 10 s went')
  t.ok(fd.isOpen)
  t.equal(cache.saveDestination(30, 'D4', text, 'E'), 1)
  t.notOk(fd.isOpen)
  t.equal(cache.destinationCount, 3)
  t.equal(cache.saveDestination(30, 'D5', 'x'.repeat(9000), 'E'), 0)
  t.ok(cache.isEmpty, 'too large even alone')
  t.end()
})

t.test('closeAll() closes what is left', (t) => {
  const { cache, save } = newCache()
  const fds = [save('E1', 'a'), save('E1', 'b'), save('E2', 'c')]
  cache.closeAll()
  t.notOk(fds.some((fd) => fd.isOpen))
  t.equal(cache.connectionCount, 0)
  t.end()
})
