/**
 * trigger.test - a wake-up over a socket and over a FIFO
 */
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeFifo } from '@posthorn/native/user'
import t from 'tap'
import { FakeService } from './fake-service.ts'
import { endpointProblem, trigger } from './trigger.ts'

const timeoutMs = 5_000

t.test('trigger() over a socket and over a FIFO', async (t) => {
  const heard = Promise.withResolvers<string>()
  using service = FakeService.start(async (channel) => {
    channel.announce('announced_all_the_same')
    heard.resolve(await channel.stream.readExactly(2))
  })
  await trigger(service.path, 'W', timeoutMs)
  t.equal(await heard.promise, 'W\0')

  const directory = mkdtempSync(join(tmpdir(), 'posthorn-wire-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const fifo = join(directory, 'fifo')
  makeFifo(fifo, 0o600)
  await t.rejects(trigger(fifo, 'W', timeoutMs), { code: 'ENXIO' }, 'nobody reads')
  const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
  await trigger(fifo, 'FADI', timeoutMs)
  const octets = Buffer.alloc(10)
  t.equal(octets.toString('latin1', 0, readSync(fd, octets)), 'FADI')
  closeSync(fd)
  await t.rejects(trigger(join(directory, 'none'), 'W', timeoutMs), { code: 'ENOENT' })
  await t.rejects(trigger(directory, 'W', timeoutMs), { code: 'POSTHORN_NO_ENDPOINT' })
})

t.test('endpointProblem() says what is missing, and not that nobody listens', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-wire-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  const problem = async (path: string): Promise<string | undefined> =>
    trigger(path, 'W', timeoutMs).then(
      () => 'no error',
      (error: unknown) => endpointProblem('public/x', error),
    )
  t.equal(
    await problem(join(directory, 'none')),
    'unable to look up public/x: No such file or directory',
  )
  t.match(await problem(directory), 'is not a socket or a fifo')
  const fifo = join(directory, 'fifo')
  makeFifo(fifo, 0o600)
  t.equal(await problem(fifo), undefined, 'nobody reads')
})
