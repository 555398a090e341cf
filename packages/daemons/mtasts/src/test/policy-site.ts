/**
 * policy-site - a world with domains that have MTA-STS policies: name server and HTTPS server on the loopback interface
 *
 *     const site = await PolicySite.start(t)
 *     site.publish('example.test', 'id1', 'enforce', ['mx.example.test'])
 *     site.hosts.set('other.test', { status: 302, headers: { location: '…' } })
 *     site.requests                        // 'GET mta-sts.example.test /.well-known/mta-sts.txt'
 */
import { once } from 'node:events'
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { createSecureContext } from 'node:tls'
import { FakeDns, type FakeName } from '@posthorn/testing/fake-dns'
import { issueCertificate, type CertificateRequest } from '@posthorn/testing/test-certificates'

export interface PolicyHost {
  readonly status?: number
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
  /** In place of a certificate for `mta-sts.DOMAIN`. */
  readonly certificate?: CertificateRequest
  /** In place of a reply. */
  readonly answer?: (response: ServerResponse) => void
}

export function policyText(mode: string, mx: readonly string[], maxAge = 86_400): string {
  const patterns = mx.map((pattern) => `mx: ${pattern}\r\n`).join('')
  return `version: STSv1\r\nmode: ${mode}\r\n${patterns}max_age: ${maxAge}\r\n`
}

export class PolicySite {
  readonly dns: FakeDns
  /** By domain, without `mta-sts.`; a domain that is not in here: status 404. */
  readonly hosts = new Map<string, PolicyHost>()
  readonly requests: string[] = []
  readonly #server: Server

  private constructor(dns: FakeDns) {
    this.dns = dns
    this.#server = createServer(
      {
        SNICallback: (name, callback) => {
          const request = this.hosts.get(domainOf(name))?.certificate ?? { names: [name] }
          const { key, cert } = issueCertificate(request)
          callback(null, createSecureContext({ key, cert }))
        },
      },
      (request, response) => {
        const host = (request.headers.host ?? '').replace(/:\d+$/, '')
        this.requests.push(`${request.method ?? ''} ${host} ${request.url ?? ''}`)
        this.#answer(this.hosts.get(domainOf(host)), response)
      },
    )
    this.#server.on('tlsClientError', () => undefined)
  }

  static async start(
    test: { teardown: (undo: () => unknown) => unknown },
    names: Record<string, FakeName> = {},
    ports: { readonly dns?: number; readonly https?: number } = {},
  ): Promise<PolicySite> {
    const dns = await FakeDns.start(names, { port: ports.dns ?? 0 })
    const site = new PolicySite(dns)
    site.#server.listen(ports.https ?? 0, '127.0.0.1')
    await once(site.#server, 'listening')
    test.teardown(async () => {
      await site.close()
      await dns.close()
    })
    return site
  }

  get port(): number {
    const bound = this.#server.address()
    if (bound === null || typeof bound === 'string') throw new Error('Cannot serve: not listening')
    return bound.port
  }

  /** For MainConfig.of() and main.cf. */
  get settings(): Record<string, string> {
    return {
      dns_nameservers: this.dns.nameservers,
      inet_protocols: 'ipv4',
      mta_sts_policy_port: String(this.port),
      mta_sts_cache_file: '',
    }
  }

  /** Record and policy. Records live for no time, so that a change is seen at once. */
  publish(domain: string, id: string, mode: string, mx: readonly string[], maxAge?: number): void {
    this.announce(domain, id)
    this.hosts.set(domain, { body: policyText(mode, mx, maxAge) })
  }

  /** The record, and where the policy host is. */
  announce(domain: string, id: string): void {
    this.dns.set(`_mta-sts.${domain}`, { TXT: [`v=STSv1; id=${id};`], ttlSeconds: 0 })
    this.dns.set(`mta-sts.${domain}`, { A: ['127.0.0.1'], ttlSeconds: 0 })
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(host: PolicyHost | undefined, response: ServerResponse): void {
    if (host?.answer !== undefined) {
      host.answer(response)
      return
    }
    const headers = host?.headers ?? { 'content-type': 'text/plain; charset=utf-8' }
    response.writeHead(host === undefined ? 404 : (host.status ?? 200), headers)
    response.end(host?.body ?? '')
  }
}

function domainOf(host: string): string {
  return host.replace(/^mta-sts\./, '')
}
