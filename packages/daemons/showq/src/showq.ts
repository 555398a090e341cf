/**
 * showq - the service: settings, and the conversation
 */
import type { Service, ServiceContext, ServiceDefinition } from '@posthorn/daemon/service'
import { log } from '@posthorn/log/log'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { EndOfStreamError, type ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import { endOfListing, showqProtocol } from '@posthorn/wire/showq-protocol'
import { listQueues } from './list-queues.ts'

/** A piece of this size is worth a system call. */
const FLUSH_OCTETS = 32 * 1024

export const showq: ServiceDefinition = { program: 'showq', kind: 'single', start }

function start({ config }: ServiceContext): Service {
  const layout = QueueLayout.fromConfig(config)
  const options = {
    emptyAddress: config.text('empty_address_recipient'),
    duplicateLimit: config.integer('duplicate_filter_limit'),
    warn: (text: string) => {
      log.warning(text)
    },
  }
  return {
    serve: async (stream) => {
      try {
        await sendListing(stream, listQueues(layout, options))
      } catch (error) {
        // somebody has seen enough: postqueue -p | head
        if (!(error instanceof EndOfStreamError)) throw error
      }
    },
  }
}

async function sendListing(stream: ByteStream, pieces: AsyncIterable<string>): Promise<void> {
  const channel = new Channel(stream)
  channel.announce(showqProtocol)
  let unsent = 0
  for await (const piece of pieces) {
    channel.send(piece)
    unsent += piece.length
    if (unsent < FLUSH_OCTETS) continue
    await stream.flush()
    unsent = 0
  }
  channel.send(endOfListing)
  await stream.flush()
}
