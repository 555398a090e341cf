/**
 * latency - how long a message takes, from connect to 250 and from connect to the destination
 *
 * Messages are offered at a fixed rate, whether or not earlier ones were answered (an open loop: a slow
 * system cannot slow the clock that judges it). Client and destination are one process, so both ends read
 * the same clock; the number of a message is its recipient.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { SmtpClient } from '@posthorn/testing/smtp-client'

export interface LatencyResult {
  readonly accepted: Percentiles
  readonly delivered: Percentiles
  readonly messages: number
}

export interface Percentiles {
  readonly p50Ms: number
  readonly p99Ms: number
}

const DELIVERY_LIMIT_MS = 60_000

/** The smallest value that is not below the given share of the values. */
export function percentile(sorted: readonly number[], share: number): number {
  const index = Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)
  return sorted[Math.max(0, index)] ?? 0
}

function summarise(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b)
  return { p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99) }
}

/** A destination that takes everything and notes when each message was complete. */
export class TimedSink {
  readonly arrivals = new Map<number, number>()
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<TimedSink> {
    const server = createServer()
    const sink = new TimedSink(server)
    server.on('connection', (socket) => {
      sink.#serve(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return sink
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    let pending = ''
    let isContent = false
    let number = -1
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
    socket.write('220 sink ESMTP\r\n')
    socket.on('data', (chunk) => {
      pending += chunk.toString('latin1')
      for (;;) {
        if (isContent) {
          const end = pending.indexOf('\r\n.\r\n')
          if (end < 0) return
          this.arrivals.set(number, performance.now())
          pending = pending.slice(end + 5)
          isContent = false
          socket.write('250 2.0.0 Ok\r\n')
          continue
        }
        const end = pending.indexOf('\r\n')
        if (end < 0) return
        const line = pending.slice(0, end)
        pending = pending.slice(end + 2)
        const verb = line.slice(0, 4).toUpperCase()
        if (verb === 'RCPT') number = Number(/<n(\d+)@/.exec(line)?.[1] ?? -1)
        if (verb === 'DATA') isContent = true
        const reply = { EHLO: '250-sink\r\n250 PIPELINING', DATA: '354 go on', QUIT: '221 bye' }[
          verb
        ]
        socket.write(`${reply ?? '250 2.0.0 Ok'}\r\n`)
        if (verb === 'QUIT') socket.end()
      }
    })
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** One message over one connection; resolves when 250 for its content was read. */
async function sendOne(port: number, number: number, content: string): Promise<void> {
  const client = await SmtpClient.open(port)
  await client.say('HELO bench.example.test', '250')
  await client.send('sender@example.test', [`n${number}@remote.test`], content)
  client.quit().catch(() => undefined)
}

/** Offers messages at the given rate and waits until each has arrived at the sink. */
export async function measureLatency(
  port: number,
  sink: TimedSink,
  options: { ratePerSecond: number; messages: number; sizeBytes: number },
): Promise<LatencyResult> {
  const line = `${'X'.repeat(70)}\r\n`
  const content = `Subject: latency\r\n\r\n${line.repeat(Math.ceil(options.sizeBytes / line.length))}end`
  const started: number[] = []
  const accepted: number[] = []
  const begin = performance.now()
  const sent: Promise<void>[] = []
  for (let number = 0; number < options.messages; number += 1) {
    const due = begin + (number * 1000) / options.ratePerSecond
    const wait = due - performance.now()
    if (wait > 1) await sleep(wait)
    started[number] = performance.now()
    sent.push(
      sendOne(port, number, content).then(() => {
        accepted[number] = performance.now() - (started[number] ?? 0)
      }),
    )
  }
  await Promise.all(sent)
  const until = performance.now() + DELIVERY_LIMIT_MS
  while (sink.arrivals.size < options.messages && performance.now() < until) await sleep(20)
  const delivered = [...sink.arrivals].map(([number, at]) => at - (started[number] ?? at))
  if (delivered.length < options.messages) {
    throw new Error(`Only ${delivered.length} of ${options.messages} messages arrived in time`)
  }
  return {
    accepted: summarise(accepted),
    delivered: summarise(delivered),
    messages: options.messages,
  }
}
