/**
 * trivial-rewrite - trivial-rewrite(8) as the skeleton sees it: one conversation, many requests
 */
import type { Service, ServiceContext, ServiceDefinition } from '@posthorn/daemon/service'
import { fatal } from '@posthorn/log/log'
import { Channel } from '@posthorn/wire/channel'
import {
  parseRewriteRequest,
  ResolveReplyList,
  RewriteReply,
  rewriteProtocol,
} from '@posthorn/wire/rewrite-protocol'
import { AddressResolver } from './address-resolver.ts'
import { readRewriteSettings, rewriteAddress } from './rewrite-address.ts'
import { openRoutes } from './routes.ts'
import { openSites } from './sites.ts'

/** How often the tables are looked at; a table that changed ends the process, and master starts a new one. */
const TABLE_CHECK_MS = 10_000
/** Any other value asks the client to reconnect. */
const SERVER_FLAGS = 0

let resolvers: { mail: AddressResolver; probe: AddressResolver } | undefined

async function open(context: ServiceContext): Promise<void> {
  const { config } = context
  const sites = await openSites(config)
  const mail = openRoutes(config, 'mail')
  const probe = openRoutes(config, 'probe')
  resolvers = {
    mail: new AddressResolver(config, sites, mail),
    probe: new AddressResolver(config, sites, probe),
  }
  const timer = setInterval(() => {
    const stale = [...mail.tables, ...probe.tables].find((table) => table.isStale)
    if (stale !== undefined) context.exitWhenIdle(`table ${stale.name} has changed -- restarting`)
  }, TABLE_CHECK_MS)
  timer.unref()
}

function service(context: ServiceContext): Service {
  const settings = readRewriteSettings(context.config)
  const { mail, probe } = resolvers ?? fatal('trivial-rewrite: tables are not open')
  return {
    /** @throws {AttrError} the request is malformed or unknown */
    async serve(stream) {
      const channel = new Channel(stream)
      channel.announce(rewriteProtocol)
      for (;;) {
        const attrs = await channel.receive()
        if (attrs === undefined) return
        const request = parseRewriteRequest(attrs)
        if (request.request === 'rewrite') {
          const rule = request.rule === 'remote' ? 'remote' : 'local'
          const address = rewriteAddress(request.address, rule, settings)
          channel.send(RewriteReply.encode({ serverFlags: SERVER_FLAGS, address }))
        } else {
          const resolver = request.request === 'verify' ? probe : mail
          const reply = await resolver.resolve(request.sender, request.address)
          channel.send(ResolveReplyList.encode({ serverFlags: SERVER_FLAGS, ...reply }))
        }
      }
    },
  }
}

export const trivialRewrite: ServiceDefinition = {
  program: 'trivial-rewrite',
  kind: 'multi',
  async beforeJail(context) {
    if (context.args[0] !== undefined) fatal(`unexpected command-line argument: ${context.args[0]}`)
    await open(context)
  },
  start: service,
}
