/**
 * list-queue - where the listing comes from
 *
 * From showq(8); while the mail system is down, the superuser (and mail_owner, who may read the queue)
 * gets it from a showq(8) that is started for the purpose.
 */
import { spawn } from 'node:child_process'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { pipePair } from '@posthorn/native/socket'
import { errorCode, errorReason } from '@posthorn/native/system-error'
import { findUser } from '@posthorn/native/user'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import { readQueueListing, showqProtocol, type QueueEntry } from '@posthorn/wire/showq-protocol'
import { fail } from './fail.ts'

export async function* listQueue(config: MainConfig): AsyncGenerator<QueueEntry, void, undefined> {
  const channel = await openListing(config)
  try {
    yield* readQueueListing(channel)
  } finally {
    channel.close()
  }
}

async function openListing(config: MainConfig): Promise<Channel> {
  const path = `public/${config.text('showq_service_name')}`
  const timeoutMs = config.seconds('ipc_timeout') * 1000
  try {
    return await Channel.connect(path, { protocol: showqProtocol, timeoutMs })
  } catch (error) {
    const why = `Connect to the Postfix showq service: ${errorReason(error)}`
    const isDown = ['ENOENT', 'ECONNREFUSED'].includes(errorCode(error) ?? '')
    if (!isDown) fail(why)
    if (!mayReadQueue(config)) {
      fail(`Queue report unavailable - mail system is down (${why})`)
    }
    log.warning(`Mail system is down -- accessing queue directly (${why})`)
    return startShowq(config, timeoutMs)
  }
}

function mayReadQueue(config: MainConfig): boolean {
  const uid = process.getuid?.()
  return uid === 0 || uid === findUser(config.text('mail_owner'))?.uid
}

async function startShowq(config: MainConfig, timeoutMs: number): Promise<Channel> {
  const [reading, writing] = pipePair()
  const program = `${config.text('daemon_directory')}/showq`
  const child = spawn(program, ['-u', '-S'], {
    stdio: ['ignore', writing.fd, 'inherit'],
    env: { ...process.env, MAIL_CONFIG: config.directory },
  })
  child.on('error', (error) => {
    fail(`unable to execute ${program}: ${errorReason(error)}`)
  })
  writing.close()
  const channel = new Channel(new ByteStream(reading, { timeoutMs }))
  await channel.expectAnnouncement(showqProtocol)
  return channel
}
