/**
 * master-site - a rootless site of its own and a master for it, for tests
 *
 * The services run `probe`, a program written here: it reports how it was started in probe.log, one JSON object a line,
 * and serves by its last argument:
 *   single  one client at a time: says its pid, then waits for the client to leave
 *   share   the same for POSTHORN_SHARE clients, as our daemons do
 *   fifo    reports what comes in
 *   crash   exits with status 7
 */
/* eslint-disable n/no-sync -- for tests */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { connectStream, type ByteStream } from '@posthorn/stream/byte-stream'
import type { SocketAddress } from '@posthorn/native/socket'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { waitFor } from '@posthorn/testing/wait-for'

const native = new URL('../../../../lib/native/src/', import.meta.url).href

const PROBE = `#!${process.execPath}
import { appendFileSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
const { Acceptor } = await import('${native}socket.ts')
const { Descriptor } = await import('${native}descriptor.ts')
const report = (more) => appendFileSync('probe.log', JSON.stringify({ pid: process.pid, ...more }) + '\\n')
const say = (state) => {
  const octets = Buffer.alloc(12)
  octets.writeInt32LE(process.pid, 0)
  octets.writeUInt32LE(parseInt(process.env.GENERATION, 8), 4)
  octets.writeInt32LE(state, 8)
  try { writeSync(5, octets) } catch { leave() }
}
const args = process.argv.slice(2)
const mode = args.at(-1)
report({ kind: 'start', name: basename(process.argv[1]), args, environment: process.env, cwd: process.cwd(), umask: process.umask() })
if (mode === 'crash') process.exit(7)
let busy = 0
let isLeaving = false
function leave() {
  isLeaving = true
  if (busy === 0) { report({ kind: 'end' }); process.exit(0) }
}
const status = Descriptor.adopt(5)
status.watch(() => { if (status.readText() === '') leave() })
if (mode === 'fifo') {
  const fifo = Descriptor.adopt(6)
  const read = () => { for (let text; (text = fifo.readText()) !== undefined; ) report({ kind: 'fifo', text }) }
  fifo.watch(read)
} else {
  const count = args.includes('-s') ? Number(args[args.indexOf('-s') + 1]) : 1
  const share = mode === 'share' ? Number(process.env.POSTHORN_SHARE) : 1
  if (mode === 'share') say(2)
  const acceptors = Array.from({ length: count }, (_, i) => new Acceptor(Descriptor.adopt(6 + i), accepted))
  function accepted(client) {
    if (++busy === share) { for (const one of acceptors) one.pause(); say(0) }
    client.write(process.pid + '\\n')
    client.watch((ready) => {
      if ((ready & 4) === 0) return
      client.close()
      if (busy-- === share) { say(1); for (const one of acceptors) one.resume() }
      if (isLeaving) leave()
    })
  }
  for (const one of acceptors) one.resume()
}
`

export interface ProbeReport {
  readonly kind: 'start' | 'end' | 'fifo'
  readonly pid: number
  readonly name: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly cwd: string
  readonly umask: number
  readonly text: string
}

export interface Site {
  readonly directory: string
  readonly queue: string
  /** Of master, with -d: what it logged. */
  log: () => string
  /** Writes master.cf; `parameters` go to main.cf. */
  configure: (services: readonly string[], parameters?: readonly string[]) => void
  /** Starts master with these options and waits until it is ready; it ends with the test. */
  start: (options?: readonly string[]) => Promise<ChildProcess>
  run: (options: readonly string[]) => Promise<{ status: number | null; output: string }>
  reports: () => ProbeReport[]
  /** Connects, and gives the stream and the pid of the process that serves it. */
  client: (address: SocketAddress | string) => Promise<{ stream: ByteStream; pid: number }>
}

interface Test {
  teardown: (undo: () => unknown) => unknown
}

export function createSite(t: Test): Site {
  const directory = temporaryDirectory(t)
  const queue = join(directory, 'queue')
  for (const path of ['etc', 'libexec', 'data', 'queue/pid', 'queue/private', 'queue/public']) {
    mkdirSync(join(directory, path), { recursive: true })
  }
  writeFileSync(join(directory, 'libexec/package.json'), '{ "type": "module" }')
  for (const name of ['probe', 'other']) {
    writeFileSync(join(directory, 'libexec', name), PROBE)
    chmodSync(join(directory, 'libexec', name), 0o755)
  }
  let output = ''
  const launch = (options: readonly string[]): ChildProcess => {
    const main = new URL('../main.ts', import.meta.url).pathname
    // env -i: what the test runner puts into the environment of Node processes is not for master
    const environment = ['TZ=UTC', 'PATH=/bin', 'SECRET=not-for-children']
    const command = [process.execPath, main, '-c', join(directory, 'etc'), ...options]
    const child = spawn('/usr/bin/env', ['-i', ...environment, ...command], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stderr.on('data', (octets: Buffer) => {
      output += octets.toString('latin1')
    })
    return child
  }
  return {
    directory,
    queue,
    log: () => output,
    configure(services, parameters = []) {
      writeFileSync(
        join(directory, 'etc/main.cf'),
        [
          'compatibility_level = 3.6',
          `queue_directory = ${queue}`,
          `data_directory = ${directory}/data`,
          `daemon_directory = ${directory}/libexec`,
          `mail_owner = ${userInfo().username}`,
          'myhostname = mail.example.com',
          'inet_interfaces = 127.0.0.1',
          'service_throttle_time = 1s',
          'service_worker_limit = 2',
          ...parameters,
          '',
        ].join('\n'),
      )
      writeFileSync(join(directory, 'etc/master.cf'), services.map((line) => `${line}\n`).join(''))
    },
    async start(options = ['-d']) {
      const child = launch(options)
      t.teardown(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const ended = once(child, 'exit')
        child.kill('SIGTERM')
        await ended
      })
      await waitFor(() => output.includes('daemon started') || child.exitCode !== null, 'master')
      return child
    },
    async run(options) {
      const child = launch(options)
      let text = ''
      child.stderr?.on('data', (octets: Buffer) => {
        text += octets.toString('latin1')
      })
      const [status] = (await once(child, 'close')) as [number | null]
      return { status, output: text }
    },
    reports() {
      const path = join(queue, 'probe.log')
      if (!existsSync(path)) return []
      const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
      return lines.map((line) => JSON.parse(line) as ProbeReport)
    },
    async client(address) {
      const where: SocketAddress =
        typeof address === 'string' ? { family: 'unix', path: join(queue, address) } : address
      const stream = await connectStream(where, { timeoutMs: 10_000 })
      t.teardown(() => {
        stream.close()
      })
      return { stream, pid: Number(await stream.readUntil('\n', 100)) }
    },
  }
}
