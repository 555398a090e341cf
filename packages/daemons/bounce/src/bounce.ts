/**
 * bounce - the service: one request, one answer
 *
 * The answer is 0 when everything is on disk or in the hands of cleanup(8). With any other answer the
 * client keeps the message, and asks again later.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { Service, ServiceContext, ServiceDefinition } from '@posthorn/daemon/service'
import { fatal, log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { findQueueId } from '@posthorn/queue/queue-id'
import { removeMessageLog } from '@posthorn/queue/message-log'
import { MESSAGE_LOGS, type MessageLogName } from '@posthorn/queue/queue-layout'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import {
  BOUNCE_FLAGS,
  bounceProtocol,
  BounceReply,
  parseBounceRequest,
  type BounceRequest,
} from '@posthorn/wire/bounce-protocol'
import { Channel } from '@posthorn/wire/channel'
import { AttrError } from '@posthorn/wire/wire-error'
import { appendEntry } from './append-entry.ts'
import { answerReport } from './answer-report.ts'
import { readBounceSettings, type BounceSettings } from './bounce-settings.ts'
import { showTemplates } from './show-templates.ts'

const DONE = 0
const FAILED = -1

export const bounce: ServiceDefinition = {
  program: 'bounce',
  kind: 'single',
  requires: ['unlimited'],
  start,
}

export interface BounceContext {
  readonly settings: BounceSettings
  readonly config: MainConfig
  /** The log that this service keeps. */
  readonly log: MessageLogName
}

function start({ config, serviceName }: ServiceContext): Service {
  const settings = readBounceSettings(config)
  if (serviceName === 'dump_templates' || serviceName === 'expand_templates') {
    return {
      serve: async (stream) => {
        stream.write(showTemplates(settings.templates, config, serviceName === 'expand_templates'))
        await stream.flush()
      },
    }
  }
  const logName =
    MESSAGE_LOGS.find((name) => name === serviceName) ??
    fatal(`unknown service name "${serviceName}": want bounce, defer or trace`)
  const context = { settings, config, log: logName }
  return { serve: async (stream) => serve(stream, context) }
}

async function serve(stream: ByteStream, context: BounceContext): Promise<void> {
  const channel = new Channel(stream)
  channel.announce(bounceProtocol)
  const attrs = await channel.receive()
  if (attrs === undefined) return
  let status = FAILED
  try {
    status = await answerRequest(parseBounceRequest(attrs), context)
  } catch (error) {
    if (!(error instanceof AttrError)) throw error
    log.warning(`malformed request: ${error.message}`)
  }
  channel.send(BounceReply.encode({ status }))
  await stream.flush()
}

/** @returns 0, or -1 after a warning */
export async function answerRequest(
  request: BounceRequest,
  context: BounceContext,
): Promise<number> {
  const id = findQueueId(request.queueId)
  if (id === undefined) {
    log.warning(`malformed request: bad queue id "${request.queueId.slice(0, 100)}"`)
    return FAILED
  }
  try {
    if (request.request === 0) await appendEntry(context, id, request)
    else await answerReport(context, id, request)
    return DONE
  } catch (error) {
    const what = request.request === 0 ? `append file ${context.log} ${id}` : `${id}: notification`
    log.warning(`${what}: ${errorReason(error)}`)
    if ((request.flags & BOUNCE_FLAGS.clean) !== 0) {
      removeMessageLog(context.settings.layout, context.log, id)
    }
    return FAILED
  }
}
