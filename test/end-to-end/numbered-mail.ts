/**
 * numbered-mail - many messages that can be told apart, sent until each is accepted, counted when they arrive
 *
 * A message is numbered in its subject and body. A client that loses its connection, or is told to try again,
 * sends the message again, as a mail server would: what was accepted once must arrive at least once.
 */
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { setTimeout as sleep } from 'node:timers/promises'

const RETRY_MS = 100
const BODY_LINES = 12

export function bodyOf(number: number): string[] {
  const lines = Array.from({ length: BODY_LINES }, (_, at) => `${number}.${at} ${'m'.repeat(60)}`)
  return ['..a line that starts with a dot', ...lines, 'the last line']
}

function contentOf(number: number): string {
  return [`Subject: number ${number}`, '', ...bodyOf(number)].join('\r\n')
}

/**
 * Sends messages 0 to count-1 over `sessions` connections at a time, each until it was accepted.
 * @returns how often a message had to be sent again
 */
export async function sendNumbered(port: number, count: number, sessions: number): Promise<number> {
  let next = 0
  let repeats = 0
  const worker = async (): Promise<void> => {
    let client: SmtpClient | undefined
    while (next < count) {
      const number = next
      next += 1
      for (;;) {
        try {
          if (client === undefined) {
            client = await SmtpClient.open(port)
            await client.say('EHLO client.example.test', '250')
          }
          // a line that begins with a dot gets another one on the wire (RFC 5321 4.5.2); bodyOf has it
          await client.send('sender@example.test', [`user@remote.test`], contentOf(number))
          break
        } catch {
          client?.close()
          client = undefined
          repeats += 1
          await sleep(RETRY_MS)
        }
      }
    }
    await client?.quit()
  }
  await Promise.all(Array.from({ length: sessions }, worker))
  return repeats
}

export interface Arrival {
  readonly missing: readonly number[]
  readonly duplicates: number
  readonly damaged: readonly number[]
}

/** Compares what a sink dumped with what was sent. */
export function compareArrivals(dump: string, count: number): Arrival {
  const seen = new Map<number, number>()
  const damaged: number[] = []
  for (const part of dump.split(/^Subject: number /m).slice(1)) {
    const number = Number.parseInt(part, 10)
    seen.set(number, (seen.get(number) ?? 0) + 1)
    const body = bodyOf(number)
      .map((line) => line.replace(/^\./, ''))
      .join('\n')
    if (!part.includes(`\n\n${body}\n`)) damaged.push(number)
  }
  const missing = Array.from({ length: count }, (_, at) => at).filter((at) => !seen.has(at))
  const total = [...seen.values()].reduce((sum, times) => sum + times, 0)
  return { missing, duplicates: total - seen.size, damaged }
}
