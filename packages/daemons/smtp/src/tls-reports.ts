/**
 * tls-reports - tells the collector of TLS results what became of each handshake, where the destination asks for it
 *
 *     result  ->  TXT record of _smtp._tls.DOMAIN, if there is one  ->  line in the log, datagram to the collector
 *
 * One result at most for a connection, as in Postfix 3.10; and one for a server that a policy has ruled out before. All of
 * it happens behind the delivery, which neither waits for it nor fails with it. A destination that is no domain (a host in
 * brackets, an address, a Unix socket) has no reports.
 *
 * Limits: 100 look-ups at once, what is more is dropped with a warning a minute; a fault's reason in the log is printable.
 * Sources: RFC 8460 3, 4.3, 4.4; Postfix 3.10 TLSRPT_README.
 */
import { isIP } from 'node:net'
import type { MainConfig } from '@posthorn/config/main-config'
import type { Resolver } from '@posthorn/dns/resolver'
import { log } from '@posthorn/log/log'
import { TlsrptClient, type TlsrptFailure } from '@posthorn/wire/tlsrpt-protocol'
import { toAsciiName } from './ascii-name.ts'
import type { Protocol } from './client-options.ts'
import { describeHost } from './server-host.ts'
import type { AppliedPolicy, TlsFault, TlsTarget } from './tls-policy.ts'

const PENDING_LIMIT = 100
const WARNING_INTERVAL_MS = 60_000
/** For results that wait for DNS when the process ends. */
const CLOSING_TIME_MS = 5_000

/** What is known of the connection; '' and undefined: nothing. */
export interface ConnectionFacts {
  readonly localAddress?: string | undefined
  /** What the server calls itself in its answer to EHLO. */
  readonly serverName?: string
}

export interface TlsReportOptions {
  readonly resolver: Pick<Resolver, 'query'>
  readonly client: Pick<TlsrptClient, 'send' | 'close'>
  /** smtp_tlsrpt_skip_reused_handshakes */
  readonly skipsResumed: boolean
  /** enable_idna2003_compatibility */
  readonly hasTransitionalNames: boolean
}

export class TlsReports {
  readonly #options: TlsReportOptions
  readonly #pending = new Set<Promise<void>>()
  #warnedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: TlsReportOptions) {
    this.#options = options
  }

  /** Undefined: nobody wants any. */
  static fromConfig(
    config: MainConfig,
    protocol: Protocol,
    resolver: Resolver,
  ): TlsReports | undefined {
    if (!config.boolean(`${protocol}_tlsrpt_enable`)) return undefined
    const path = config.text(`${protocol}_tlsrpt_socket_name`)
    if (path === '') {
      log.warning(
        `${protocol}_tlsrpt_enable = yes has no effect: ${protocol}_tlsrpt_socket_name is empty`,
      )
      return undefined
    }
    return new TlsReports({
      resolver,
      client: new TlsrptClient(path),
      skipsResumed: config.boolean(`${protocol}_tlsrpt_skip_reused_handshakes`),
      hasTransitionalNames: config.boolean('enable_idna2003_compatibility'),
    })
  }

  get skipsResumed(): boolean {
    return this.#options.skipsResumed
  }

  /** `fault`: undefined where the handshake was good. One that the policy has had before counts more. */
  tell(
    target: TlsTarget,
    applied: AppliedPolicy | undefined,
    fault: TlsFault | undefined,
    facts: ConnectionFacts = {},
  ): void {
    const { element, domain, host } = target
    const isDomain = !element.startsWith('[') && isIP(domain) === 0 && host.port !== 0
    if (applied === undefined || !isDomain) return
    if (this.#pending.size >= PENDING_LIMIT) {
      this.#warn()
      return
    }
    const work = this.#report(target, applied, applied.fault ?? fault, facts)
      .catch((error: unknown) => {
        log.warning(`TLSRPT: ${domain}: ${error instanceof Error ? error.message : String(error)}`)
      })
      .finally(() => this.#pending.delete(work))
    this.#pending.add(work)
  }

  /** All that was told so far has come to its end. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending)
  }

  /** What waits for DNS has a little time left. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const timeUp = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSING_TIME_MS)
    })
    await Promise.race([this.settle(), timeUp])
    clearTimeout(timer)
    this.#options.client.close()
  }

  async #report(
    { domain, host }: TlsTarget,
    policy: AppliedPolicy,
    fault: TlsFault | undefined,
    facts: ConnectionFacts,
  ): Promise<void> {
    const recipientDomain = toAsciiName(domain, this.#options.hasTransitionalNames).toLowerCase()
    const record = await this.#findRecord(recipientDomain)
    if (record === undefined) return
    const where = `domain=${recipientDomain}, receiving_mx=${describeHost(host)}`
    if (fault === undefined) log.info(`TLSRPT: status=success, ${where}`)
    else log.info(`TLSRPT: status=failure, ${where}${describeFault(fault)}`)
    const { localAddress, serverName = '' } = facts
    const failure: TlsrptFailure[] =
      fault === undefined
        ? []
        : [
            {
              code: fault.code,
              receivingMxHostname: host.name,
              receivingIp: host.address,
              ...(localAddress !== undefined && { sendingMtaIp: localAddress }),
              ...(serverName !== '' && { receivingMxHelo: serverName }),
              ...(fault.reason !== undefined && { failureReasonCode: fault.reason }),
            },
          ]
    const { type, strings, mxHostPatterns } = policy
    const result = { type, domain: policy.domain.toLowerCase(), strings, mxHostPatterns }
    this.#options.client.send({
      recipientDomain,
      record,
      policies: [{ ...result, isSuccess: fault === undefined, failures: failure }],
    })
  }

  /** RFC 8460 3: exactly one record of this version, or it is as if there were none. */
  async #findRecord(domain: string): Promise<string | undefined> {
    const answer = await this.#options.resolver.query(`_smtp._tls.${domain}`, 'TXT')
    if (answer.kind !== 'found') return undefined
    const texts = answer.records.map(({ text }) => text)
    const [record, other] = texts.filter((text) => /^v=TLSRPTv1[ \t]*;/.test(text))
    return other === undefined ? record : undefined
  }

  #warn(): void {
    const nowMs = performance.now()
    if (nowMs - this.#warnedAtMs < WARNING_INTERVAL_MS) return
    this.#warnedAtMs = nowMs
    log.warning(`TLSRPT: results are dropped: ${PENDING_LIMIT} wait for an answer of DNS`)
  }
}

/** In the words of Postfix 3.10, where all blanks and hyphens are underscores. */
function describeFault({ code, reason }: TlsFault): string {
  const failureType = `, failure_type=${code.replaceAll('-', '_')}`
  return reason === undefined
    ? failureType
    : `${failureType}, failure_reason=${reason.replaceAll(' ', '_')}`
}
