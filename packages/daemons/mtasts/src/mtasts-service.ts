/**
 * mtasts-service - the requests of mtasts(8), as a socketmap
 *
 * Many requests per connection, one after the other: `NAME KEY` gets `OK value`, `NOTFOUND `, `TEMP reason` or, for a name that we
 * do not have, `PERM reason`. Keys that are no domain are not found, without a question to anybody. What is no netstring costs the
 * connection; the trigger `W` in place of a request wakes a process that is awake already.
 *
 * Limits: netstring.ts; ipc_timeout for a client that is silent, `requestTimeoutMs` for one in the middle of a request or reply.
 * Source: Postfix 3.7 socketmap_table(5).
 */
import { domainToASCII } from 'node:url'
import { isValidHostname } from '@posthorn/address/hostname'
import { log } from '@posthorn/log/log'
import { EndOfStreamError, StreamTimeoutError, type ByteStream } from '@posthorn/stream/byte-stream'
import { netstring, readNetstring } from './netstring.ts'
import {
  formatPolicy,
  formatPolicyWithAttributes,
  type LenientLevel,
  type PolicyAnswer,
} from './policy-answer.ts'

export interface MtastsServiceOptions {
  readonly find: (domain: string) => Promise<PolicyAnswer>
  readonly level: LenientLevel
  readonly stop: () => Promise<void>
}

const requestTimeoutMs = 10_000
/** With `mta-sts.` or `_mta-sts.` before it, it is still a name (RFC 1035 2.3.4). */
const domainLimit = 244

export class MtastsService {
  readonly #options: MtastsServiceOptions

  constructor(options: MtastsServiceOptions) {
    this.#options = options
  }

  /** One client, until it hangs up or is silent for too long. @throws {SocketmapError | EndOfStreamError | StreamTimeoutError} */
  async serve(stream: ByteStream): Promise<void> {
    const idleTimeoutMs = stream.timeoutMs
    for (;;) {
      stream.timeoutMs = idleTimeoutMs
      if (!(await isTalking(stream))) return
      stream.timeoutMs = requestTimeoutMs
      if (isTrigger(stream.buffered)) return
      const request = await readNetstring(stream)
      stream.write(netstring(await this.#answer(request)))
      await stream.flush()
    }
  }

  async stop(): Promise<void> {
    await this.#options.stop()
  }

  async #answer(request: string): Promise<string> {
    const blank = request.indexOf(' ')
    const name = blank < 0 ? request : request.slice(0, blank)
    if (name !== 'policy' && name !== 'policy-3.10') {
      log.warning(`unknown socketmap name: "${name.slice(0, 100)}"`)
      return 'PERM unknown socketmap name'
    }
    const domain = domainOf(request.slice(name.length + 1))
    if (domain === undefined) return 'NOTFOUND '
    const answer = await this.#options.find(domain)
    if (answer.kind === 'tryAgain') return `TEMP ${answer.reason}`
    const value =
      name === 'policy'
        ? formatPolicy(answer)
        : formatPolicyWithAttributes(domain, answer, this.#options.level)
    return value === undefined ? 'NOTFOUND ' : `OK ${value}`
  }
}

/**
 * In lower case and ASCII. undefined: `[host]`, `host:port`, addresses, `.parent`, names without a dot and whatever else is no
 * domain that mail could be for.
 */
export function domainOf(key: string): string | undefined {
  const text = Buffer.from(key, 'latin1').toString('utf8')
  const name = (/[\x80-\xff]/.test(key) ? domainToASCII(text) : key).toLowerCase()
  if (!name.includes('.') || name.length > domainLimit) return undefined
  return isValidHostname(name) ? name : undefined
}

/** False: the client has left, or was silent for too long and may come again. */
async function isTalking(stream: ByteStream): Promise<boolean> {
  if (stream.buffered.length > 0) return true
  try {
    return await stream.fill()
  } catch (error) {
    if (error instanceof EndOfStreamError || error instanceof StreamTimeoutError) return false
    throw error
  }
}

/** master(8) wakes services up with one or two octets, and no netstring begins so. */
function isTrigger(octets: string): boolean {
  return octets.length <= 2 && octets.startsWith('W')
}
