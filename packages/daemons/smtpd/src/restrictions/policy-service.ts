/**
 * policy-service - asks an access policy server, another program that decides: check_policy_service
 *
 *     check_policy_service inet:127.0.0.1:10031
 *     check_policy_service { unix:private/policy, timeout=10s, default_action=DUNNO }
 *
 * One request at a time on a connection; connections are kept, and a session that finds none free opens one. A server
 * that cannot be asked is asked again, then smtpd_policy_service_default_action decides.
 *
 * Trusts: the server to decide; not to answer in time, or in form.
 * Limits: a connection for each session that asks at this moment; of those that nobody uses, 10 are kept, for
 * smtpd_policy_service_max_idle. Replies are limited by attr-list.ts.
 * Source: Postfix 3.7 SMTPD_POLICY_README.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { splitAssignment } from '@posthorn/config/assignment'
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import { splitList } from '@posthorn/config/split-list'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { connectStream, type ByteStream } from '@posthorn/stream/byte-stream'
import { scheduleDeadline, type Deadline } from '@posthorn/stream/deadline-timer'
import { Channel } from '@posthorn/wire/channel'
import { plain } from '@posthorn/wire/plain-list'
import { endpointTitle, findEndpoint, parseEndpoint, type Endpoint } from '../service-endpoint.ts'
import { carryOut, type AccessSettings } from './access-action.ts'
import type { Evaluation } from './evaluation.ts'
import { policyRequest } from './policy-request.ts'
import type { Check } from './restriction.ts'

const KEPT_LIMIT = 10
const PREFIX = 'smtpd_policy_service_'

/** Settings that a service may have of its own, without the prefix. */
const OWN_SETTINGS = new Set([
  ...['default_action', 'max_idle', 'max_ttl', 'policy_context', 'request_limit', 'retry_delay'],
  ...['timeout', 'try_limit'],
])

interface Connection {
  readonly channel: Channel
  readonly openedAtMs: number
  requestCount: number
  /** While nobody uses it. */
  expiry: Deadline | undefined
}

/** @throws {ConfigError} */
export function policyServiceCheck(
  argument: string,
  config: MainConfig,
  settings: AccessSettings,
): Check {
  const [name = '', ...words] = splitList(/^\{([^]*)\}$/.exec(argument)?.[1] ?? argument)
  const service = new PolicyService(name, config.withOverrides({ overrides: ownSettings(words) }))
  return async (evaluation) => {
    const action = await service.ask(evaluation)
    return carryOut(evaluation, action, name, evaluation.subject, settings)
  }
}

function ownSettings(words: readonly string[]): [string, string][] {
  return words.map((word) => {
    const assignment = splitAssignment(/^\{([^]*)\}$/.exec(word)?.[1] ?? word)
    if (assignment.kind === 'malformed' || !OWN_SETTINGS.has(assignment.name)) {
      throw new ConfigError(`check_policy_service: unexpected setting "${word}"`)
    }
    return [`${PREFIX}${assignment.name}`, assignment.value]
  })
}

/** Nobody is there. */
class ConnectError extends Error {
  readonly code = 'POSTHORN_POLICY_CONNECT'
}

class PolicyService {
  readonly #title: string
  readonly #endpoint: Endpoint
  readonly #options: {
    readonly timeoutMs: number
    readonly maxIdleMs: number
    readonly maxTtlMs: number
    readonly retryDelayMs: number
    readonly tryLimit: number
    readonly requestLimit: number
    readonly defaultAction: string
    readonly context: string
    readonly stress: string
  }
  readonly #idle: Connection[] = []

  constructor(name: string, config: MainConfig) {
    this.#title = endpointTitle(name)
    this.#endpoint = parseEndpoint(name, 'check_policy_service')
    this.#options = {
      timeoutMs: config.seconds('smtpd_policy_service_timeout') * 1000,
      maxIdleMs: config.seconds('smtpd_policy_service_max_idle') * 1000,
      maxTtlMs: config.seconds('smtpd_policy_service_max_ttl') * 1000,
      retryDelayMs: config.seconds('smtpd_policy_service_retry_delay') * 1000,
      tryLimit: config.integer('smtpd_policy_service_try_limit'),
      requestLimit: config.integer('smtpd_policy_service_request_limit'),
      defaultAction: config.text('smtpd_policy_service_default_action'),
      context: config.text('smtpd_policy_service_policy_context'),
      stress: config.expanded('stress'),
    }
  }

  /** The right-hand side of an access(5) table: the server's, or the default action. */
  async ask(evaluation: Evaluation): Promise<string> {
    const { context, stress, defaultAction, tryLimit, retryDelayMs } = this.#options
    const request = policyRequest(evaluation, context, stress)
    for (let failures = 0; ;) {
      const kept = this.#idle.pop()
      kept?.expiry?.cancel()
      try {
        return await this.#askOn(kept ?? (await this.#open()), request)
      } catch (error) {
        // a server may end kept connections when it likes
        if (kept !== undefined) continue
        const reason = errorReason(error)
        const isLast = ++failures >= tryLimit
        if (error instanceof ConnectError) log.warning(`connect to ${this.#title}: ${reason}`)
        if (isLast) {
          log.warning(`problem talking to server ${this.#title}: ${reason}`)
          return defaultAction
        }
        await sleep(retryDelayMs)
      }
    }
  }

  async #open(): Promise<Connection> {
    const { timeoutMs } = this.#options
    let stream: ByteStream
    try {
      stream = await connectStream(await findEndpoint(this.#endpoint), { timeoutMs })
    } catch (error) {
      throw new ConnectError(errorReason(error), { cause: error })
    }
    return {
      channel: new Channel(stream, plain),
      openedAtMs: Date.now(),
      requestCount: 0,
      expiry: undefined,
    }
  }

  async #askOn(connection: Connection, request: ReturnType<typeof policyRequest>): Promise<string> {
    const { channel } = connection
    let isSound = false
    try {
      channel.sendList(request)
      const reply = await channel.receiveReply()
      const action = reply.find(([name]) => name === 'action')?.[1]
      if (action === undefined) {
        throw new SyntaxError(`missing attribute action in input from ${this.#title}`)
      }
      isSound = true
      return action
    } finally {
      connection.requestCount++
      if (isSound) this.#keep(connection)
      else channel.close()
    }
  }

  #keep(connection: Connection): void {
    const { maxIdleMs, maxTtlMs, requestLimit } = this.#options
    const { stream } = connection.channel
    const now = Date.now()
    const endMs = Math.min(now + maxIdleMs, connection.openedAtMs + maxTtlMs)
    const isUsedUp = requestLimit > 0 && connection.requestCount >= requestLimit
    if (isUsedUp || now >= endMs || stream.buffered !== '' || this.#idle.length >= KEPT_LIMIT) {
      stream.close()
      return
    }
    const drop = (): void => {
      const at = this.#idle.indexOf(connection)
      if (at < 0) return
      this.#idle.splice(at, 1)
      connection.expiry?.cancel()
      stream.close()
    }
    this.#idle.push(connection)
    stream.watchHangup(drop)
    connection.expiry = scheduleDeadline(endMs, drop)
  }
}
