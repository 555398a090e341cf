/**
 * helper-pool - the helper processes of a delivery agent, one for each identity
 *
 * A helper is started when there is mail for its identity and leaves when there was none for a while. It works on some
 * jobs at a time; further ones wait. What a helper was doing when it died is deferred: it may have been done.
 *
 * Limits: 20 processes (the one that was idle longest makes room), 8 jobs at a time in each.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { log } from '@posthorn/log/log'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import { receiveResult, sendJob } from './mailbox-channel.ts'
import { helperArguments, type Identity } from './mailbox-helper.ts'
import type { MailboxJob, MailboxResult } from './mailbox-job.ts'

const helperLimit = 20
const channelCount = 8
const idleMs = 30_000

export class HelperPool {
  private readonly command: readonly string[]
  private readonly helpers = new Map<string, Helper>()
  private readonly waiting: (() => void)[] = []

  /** @param command the program and what goes before the mode: by default this program once more */
  constructor(command: readonly string[] = [process.execPath, process.argv[1] ?? '']) {
    this.command = command
  }

  /** @throws errors of `content` as they are; the mailbox is then as it was */
  async deliver(
    identity: Identity,
    job: MailboxJob,
    content: AsyncIterable<string>,
  ): Promise<MailboxResult> {
    const helper = await this.helperFor(identity)
    return helper.deliver(job, content)
  }

  close(): void {
    for (const helper of this.helpers.values()) helper.close()
  }

  private async helperFor(identity: Identity): Promise<Helper> {
    const key = `${identity.uid}:${identity.gid}:${identity.name}`
    for (;;) {
      const known = this.helpers.get(key)
      if (known !== undefined) {
        // the most recently used last
        this.helpers.delete(key)
        this.helpers.set(key, known)
        return known
      }
      if (this.helpers.size < helperLimit) break
      const idle = [...this.helpers.values()].find((helper) => helper.isIdle())
      if (idle !== undefined) idle.close()
      else await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
    const helper = new Helper(this.command, identity, () => {
      if (this.helpers.get(key) === helper) this.helpers.delete(key)
      this.waiting.shift()?.()
    })
    this.helpers.set(key, helper)
    return helper
  }
}

class Helper {
  private readonly child: ChildProcess
  private readonly idle: Channel[] = []
  private readonly waiting: ((channel: Channel | undefined) => void)[] = []
  private readonly left: () => void
  private idleTimer: NodeJS.Timeout
  private isOpen = true

  constructor(command: readonly string[], identity: Identity, left: () => void) {
    this.left = left
    const pairs = Array.from({ length: channelCount }, () => socketPair())
    const [program = '', ...first] = command
    this.child = spawn(program, [...first, ...helperArguments(identity, channelCount)], {
      stdio: ['ignore', 'ignore', 'ignore', ...pairs.map(([, theirs]) => theirs.fd)],
    })
    this.child.unref()
    this.child.on('error', (error) => {
      log.warning(`cannot start a mailbox helper: ${error.message}`)
      this.close()
    })
    this.child.on('exit', (status, signal) => {
      if (status !== 0) log.warning(`mailbox helper for uid ${identity.uid}: ${signal ?? status}`)
      this.close()
    })
    for (const [ours, theirs] of pairs) {
      theirs.close()
      this.idle.push(new Channel(new ByteStream(ours)))
    }
    this.idleTimer = this.startTimer()
  }

  isIdle(): boolean {
    return this.idle.length === channelCount
  }

  async deliver(job: MailboxJob, content: AsyncIterable<string>): Promise<MailboxResult> {
    clearTimeout(this.idleTimer)
    const channel = await this.take()
    if (channel === undefined) return gone
    let contentError: { thrown: unknown } | undefined
    try {
      await sendJob(
        channel,
        job,
        watched(content, (thrown) => {
          contentError = { thrown }
        }),
      )
      const result = await receiveResult(channel)
      this.give(channel)
      return result
    } catch (error) {
      if (contentError !== undefined) {
        this.give(channel)
        throw error
      }
      channel.close()
      this.close()
      return gone
    }
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    clearTimeout(this.idleTimer)
    for (const channel of this.idle) channel.close()
    for (const wake of this.waiting) wake(undefined)
    this.left()
  }

  private async take(): Promise<Channel | undefined> {
    if (!this.isOpen) return undefined
    return this.idle.pop() ?? new Promise((resolve) => this.waiting.push(resolve))
  }

  private give(channel: Channel): void {
    const next = this.waiting.shift()
    if (next !== undefined) next(channel)
    else if (this.isOpen) this.idle.push(channel)
    else channel.close()
    if (this.isIdle()) this.idleTimer = this.startTimer()
  }

  private startTimer(): NodeJS.Timeout {
    return setTimeout(() => {
      this.close()
    }, idleMs).unref()
  }
}

const gone: MailboxResult = {
  kind: 'failed',
  dsn: '4.3.0',
  reason: 'mailbox helper process failure',
  warnings: [],
}

async function* watched(
  content: AsyncIterable<string>,
  failed: (thrown: unknown) => void,
): AsyncGenerator<string, void, undefined> {
  try {
    yield* content
  } catch (error) {
    failed(error)
    throw error
  }
}
