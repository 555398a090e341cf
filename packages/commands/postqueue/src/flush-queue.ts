/**
 * flush-queue - asks for delivery now
 *
 * Everything: the queue manager forgets what it knows of dead destinations and time stamps, pickup(8)
 * looks into maildrop. One message or one destination: flush(8) sees to it.
 * Source: Postfix 3.7 postqueue(1).
 */
import { isValidAddressLiteral, isValidHostname } from '@posthorn/address/hostname'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { findQueueId } from '@posthorn/queue/queue-id'
import { DomainList } from '@posthorn/tables/match-list'
import { FLUSH_STATUS, sendFlushRequest, type FlushRequest } from '@posthorn/wire/flush-protocol'
import { endpointProblem, qmgrTrigger, trigger } from '@posthorn/wire/trigger'
import { fail } from './fail.ts'

const SYSTEM_DOWN = 'Cannot flush mail queue - mail system is down'

export async function flushAll(config: MainConfig): Promise<void> {
  const { forgetDead, ignoreTimeStamps, scanDeferred, scanIncoming, wakeUp } = qmgrTrigger
  const whole = forgetDead + ignoreTimeStamps + scanDeferred + scanIncoming
  const timeoutMs = config.seconds('trigger_timeout') * 1000
  const services = [
    [config.text('queue_service_name'), whole],
    [config.text('pickup_service_name'), wakeUp],
  ] as const
  for (const [service, request] of services) {
    try {
      await trigger(`public/${service}`, request, timeoutMs)
    } catch (error) {
      const problem = endpointProblem(`public/${service}`, error)
      if (problem !== undefined) log.warning(problem)
      fail(SYSTEM_DOWN)
    }
  }
}

export async function flushMessage(config: MainConfig, text: string): Promise<void> {
  const queueId = findQueueId(text) ?? fail(`Cannot flush queue ID - invalid name: "${text}"`)
  const status = await askFlush(config, { request: 'send_file', queueId })
  if (status !== FLUSH_STATUS.ok) fail('Cannot flush mail queue - service unavailable')
}

export async function flushSite(config: MainConfig, site: string): Promise<void> {
  if (!isValidHostname(site) && !isValidAddressLiteral(site)) {
    fail(`Cannot flush mail queue - invalid destination: "${site}"`)
  }
  const eligible = DomainList.open('fast_flush_domains', config.text('fast_flush_domains'), {
    config,
  })
  if (!(await eligible.matches(site))) failNotConfigured(site)
  const status = await askFlush(config, { request: 'send_site', site })
  if (status === FLUSH_STATUS.denied) failNotConfigured(site)
  if (status === FLUSH_STATUS.bad) fail(`Invalid request: "${site}"`)
  if (status !== FLUSH_STATUS.ok) fail('Cannot flush mail queue - service unavailable')
}

function failNotConfigured(site: string): never {
  fail(`Flush service is not configured for destination "${site}"`)
}

async function askFlush(config: MainConfig, request: FlushRequest): Promise<number> {
  const path = `public/${config.text('flush_service_name')}`
  try {
    return await sendFlushRequest(path, request, {
      timeoutMs: config.seconds('ipc_timeout') * 1000,
    })
  } catch (error) {
    log.warning(`connect to ${path}: ${errorReason(error)}`)
    fail(SYSTEM_DOWN)
  }
}
