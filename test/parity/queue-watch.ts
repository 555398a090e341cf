/**
 * queue-watch - sends mail to an instance, waits until the queue is at rest, and reads what was logged meanwhile
 *
 * For parity tests that run many small scenarios in one instance, each with its own stretch of the log.
 */
import { basename } from 'node:path'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import type { Instance } from '../../scripts/instance.ts'
import { comparable } from './both-systems.ts'

const SETTLE_MS = 20_000
/** So many looks at the log, one after the other, find nothing new. */
const QUIET_LOOKS = 5

export class QueueWatch {
  readonly instance: Instance
  readonly #sentIds: string[] = []
  readonly #goneIds = new Set<string>()
  #submittedCount = 0
  #readLines = 0

  constructor(instance: Instance) {
    this.instance = instance
  }

  /** One message over SMTP; returns its queue id. `options` of each recipient, as `NOTIFY=NEVER`. */
  async send(
    sender: string,
    recipients: readonly string[],
    { content = 'Subject: x\r\n\r\nhello', mail = '', rcpt = '' } = {},
  ): Promise<string> {
    const client = await SmtpClient.open(this.instance.smtpPort)
    await client.say('EHLO client.example.test', '250')
    await client.say(`MAIL FROM:<${sender}>${mail}`, '2')
    for (const recipient of recipients) await client.say(`RCPT TO:<${recipient}>${rcpt}`, '2')
    await client.say('DATA', '354')
    const reply = await client.say(`${content}\r\n.`, '2')
    await client.quit()
    const id = /queued as (\w+)/.exec(reply)?.[1] ?? reply
    this.#sentIds.push(id)
    return id
  }

  /** One message through sendmail(1), which no access rule of smtpd(8) looks at. */
  async submit(
    sender: string,
    recipients: readonly string[],
    { args = [] as readonly string[], content = 'Subject: x\n\nhello\n' } = {},
  ): Promise<void> {
    const { instance } = this
    this.#submittedCount += 1
    const all = ['-C', instance.configDirectory, ...args, '-f', sender, '--', ...recipients]
    await execa(...instance.commandLine('sendmail', all), {
      input: Buffer.from(content, 'latin1'),
    })
  }

  /**
   * Waits until nothing is on its way (what is left, is deferred, held or corrupt) and all is told: programs of ours
   * write their log at the end of a turn, which may be after the reply that lets another one go on.
   */
  async settle(): Promise<void> {
    let quietLooks = 0
    let length = 0
    await waitFor(
      async () => {
        const isAtRest =
          (await this.instance.queued('maildrop', 'incoming', 'active')).length === 0 &&
          (await this.#isTold())
        const log = await this.instance.log()
        quietLooks = isAtRest && log.length === length ? quietLooks + 1 : 0
        length = log.length
        return quietLooks === QUIET_LOOKS
      },
      'a queue at rest',
      SETTLE_MS,
    )
  }

  /** Removes all that is deferred, which no queue manager tells of. */
  async removeAll(): Promise<void> {
    const paths = await this.instance.queued('deferred')
    if (paths.length === 0) return
    for (const path of paths) this.#goneIds.add(basename(path))
    await this.instance.run('postsuper', ['-d', 'ALL', 'deferred'])
  }

  /** The log may be behind the queue: each message has come in, and those that left have been said to. */
  async #isTold(): Promise<boolean> {
    const log = await this.instance.log()
    const submitted = [...log.matchAll(/pickup\[\d+\]: (\w+): uid=/g)].map(([, id = '']) => id)
    if (submitted.length < this.#submittedCount) return false
    const born = [...log.matchAll(/(?:forwarded as|notification:) ([0-9A-F]{8,14})/g)]
    const open = new Set([...this.#sentIds, ...submitted, ...born.map(([, id = '']) => id)])
    const events = /qmgr\[\d+\]: (\w+): (?:from=.*\(queue active\)|(removed))$/gm
    for (const [, id = '', removed] of log.matchAll(events)) {
      if (removed === undefined) open.add(id)
      else open.delete(id)
    }
    if (open.size === 0) return true
    const kept = (await this.instance.queued('deferred', 'hold', 'corrupt')).join(' ')
    return [...open].every((id) => kept.includes(id) || this.#goneIds.has(id))
  }

  /** Waits until so many lines match among those that were not taken yet. */
  async logged(pattern: RegExp, count = 1): Promise<void> {
    await waitFor(
      async () => (await this.#fresh()).filter((line) => pattern.test(line)).length >= count,
      `the log to say ${pattern.source}`,
      SETTLE_MS,
    )
  }

  /**
   * The lines since the last call that these programs wrote, made comparable and sorted: which of several processes
   * writes first is nobody's promise.
   */
  async taken(programs: readonly string[]): Promise<string[]> {
    return (await this.takenInOrder(programs)).sort()
  }

  async takenInOrder(programs: readonly string[]): Promise<string[]> {
    const lines = await this.#fresh()
    this.#readLines += lines.length
    return (
      lines
        // The size of a message depends on the length of our names.
        .map((line) => comparable(line).replace(/\bsize=\d+/, 'size=N'))
        .filter((line) => programs.some((program) => line.startsWith(`postfix/${program}[`)))
    )
  }

  async #fresh(): Promise<string[]> {
    const lines = (await this.instance.log()).split('\n').slice(0, -1)
    return lines.slice(this.#readLines)
  }
}
