/**
 * smtp - smtp(8) and lmtp(8) as the skeleton sees them
 *
 * A process whose tables can no longer follow their files finishes its deliveries and leaves: only a fresh process, with
 * master's privileges, can open the new ones.
 */
import type { ServiceDefinition } from '@posthorn/daemon/service'
import { serveDeliveries } from '@posthorn/delivery/delivery-agent'
import { createDeliveryContext, type DeliveryContext } from '@posthorn/delivery/delivery-context'
import { ConfigError } from '@posthorn/config/config-error'
import { fatal } from '@posthorn/log/log'
import type { Authenticator } from './authenticate.ts'
import type { Protocol } from './client-options.ts'
import { openClientTables, type OpenedTables } from './client-tables.ts'
import { openSasl, openTls, tlsmgrSessions, type OpenedTls } from './open-security.ts'
import { everyPeer } from './debug-peers.ts'
import { NexthopError } from './nexthop.ts'
import { SmtpAgent } from './smtp-agent.ts'
import { startClient } from './start-client.ts'

export function defineSmtp(
  protocol: Protocol,
  openTables: typeof openClientTables = openClientTables,
): ServiceDefinition {
  let opened: OpenedTables | undefined
  let tls: OpenedTls | undefined
  let sasl: Authenticator | undefined
  let deliveries: DeliveryContext | undefined
  return {
    program: protocol,
    kind: 'single',
    async beforeJail({ config }) {
      opened = openTables(config, protocol)
      tls = await openTls(config, protocol, opened.tls, tlsmgrSessions)
      sasl = await openSasl(config, protocol)
      deliveries = createDeliveryContext(config, `${protocol}_delivery_status_filter`)
    },
    async start({ config, serviceName, args, concurrency, isVerbose, exitWhenIdle }) {
      const { tables, outdated } = opened ?? openTables(config, protocol)
      if (isVerbose) tables.isDebugPeer = everyPeer
      const context = deliveries ?? createDeliveryContext(config)
      const start = { config, protocol, serviceName, args, concurrency, tables, tls, sasl } as const
      const client = await startClient(start)
      const agent = new SmtpAgent(client)
      return {
        serve: async (stream, peer) => {
          try {
            await serveDeliveries(stream, peer, agent, context)
          } catch (error) {
            // where nobody else is served, as Postfix does; else only this conversation ends
            const isOurs = error instanceof NexthopError || error instanceof ConfigError
            if (isOurs && concurrency === 1) fatal(error.message)
            throw error
          } finally {
            const reason = outdated()
            if (reason !== undefined) exitWhenIdle(reason)
          }
        },
        stop: async () => {
          await client.cache.handOver()
          await client.tls?.reports?.close()
        },
      }
    },
  }
}
