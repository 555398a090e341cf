#!/usr/bin/env node
/**
 * smtp(8), lmtp(8) - delivers mail to other mail systems
 *
 * One program with two names. Serves delivery_request_protocol on a private socket named by master.cf (smtp, relay,
 * lmtp ...); one request per connection, several at once where master says so.
 *
 * Trusts: qmgr(8). Not the servers that it talks to, nor the DNS.
 * Holds:  connections to servers, for at most smtp_connection_cache_time_limit when idle. No files of its own.
 * Needs:  no privileges; may run chrooted.
 * Not yet: TLS and SASL (security-policy.ts), generic maps, header and body checks, best_mx_transport.
 * Source: RFC 5321, RFC 2033; Postfix 3.7 smtp(8).
 */
import { basename } from 'node:path'
import { runService } from '@posthorn/daemon/run-service'
import { serveDeliveries } from '@posthorn/delivery/delivery-agent'
import { createDeliveryContext, type DeliveryContext } from '@posthorn/delivery/delivery-context'
import { fatal } from '@posthorn/log/log'
import { openClientTables, warnAboutUnsupported, type OpenedTables } from './client-tables.ts'
import { NexthopError } from './nexthop.ts'
import { SmtpAgent } from './smtp-agent.ts'
import { startClient } from './start-client.ts'

const protocol = basename(process.argv[1] ?? '') === 'lmtp' ? 'lmtp' : 'smtp'

let opened: OpenedTables | undefined
let deliveries: DeliveryContext | undefined

runService({
  program: protocol,
  kind: 'single',
  beforeJail({ config }) {
    opened = openClientTables(config, protocol)
    deliveries = createDeliveryContext(config, `${protocol}_delivery_status_filter`)
  },
  async start({ config, serviceName, args, concurrency }) {
    const { tables, outdated } = opened ?? openClientTables(config, protocol)
    const context = deliveries ?? createDeliveryContext(config)
    warnAboutUnsupported(config, protocol)
    const start = { config, protocol, serviceName, args, concurrency, tables } as const
    const client = await startClient(start)
    const agent = new SmtpAgent(client)
    return {
      serve: async (stream) => {
        try {
          await serveDeliveries(stream, agent, context)
        } catch (error) {
          // where nobody else is served, as Postfix does; else only this conversation ends
          if (error instanceof NexthopError && concurrency === 1) fatal(error.message)
          throw error
        }
      },
      outdated,
      stop: async () => client.cache.handOver(),
    }
  },
})
