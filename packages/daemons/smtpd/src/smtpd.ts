/**
 * smtpd - the SMTP server: receives mail from the network and hands it to cleanup(8)
 */
import { isIPv6 } from 'node:net'
import { log } from '@posthorn/log/log'
import { ChannelPool } from '@posthorn/wire/channel-pool'
import { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import type { Client, ServiceDefinition } from '@posthorn/daemon/run-service'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { ClientLimits } from './client-limits.ts'
import { ClientNames, unknownName, type ClientName } from './client-name.ts'
import { converse } from './conversation.ts'
import { MilterStandIn } from './milter-stand-in.ts'
import { ProxyHeaderError, readProxyHeader, type ProxyEndpoints } from './proxy-header.ts'
import { Policy } from './restrictions/policy.ts'
import { readPolicySettings } from './restrictions/policy-settings.ts'
import { SmtpdTables } from './restrictions/smtpd-tables.ts'
import { Session } from './session.ts'
import { clientLabel, type SessionClient } from './session-client.ts'
import type { SmtpdHost } from './smtpd-host.ts'
import { readSmtpdSettings } from './smtpd-settings.ts'
import { warnAboutUnsupported } from './warn-about-unsupported.ts'

/** sendmail -bs: the client is a local user. */
const localUser: SessionClient = {
  name: 'localhost',
  nameStatus: 'ok',
  reverseName: 'localhost',
  reverseStatus: 'ok',
  address: '127.0.0.1',
  port: '0',
  family: 'inet',
  serverAddress: '127.0.0.1',
  serverPort: '0',
  label: 'localhost[127.0.0.1]',
  isLocalUser: true,
}

async function identify(
  host: SmtpdHost,
  { client, server }: ProxyEndpoints,
): Promise<SessionClient> {
  const { address } = client
  const found: ClientName = host.settings.isPeerNameLookedUp
    ? await host.names.find(address)
    : unknownName
  const port = String(client.port)
  return {
    ...found,
    address,
    port,
    family: isIPv6(address) ? 'inet6' : 'inet',
    serverAddress: server.address,
    serverPort: String(server.port),
    label: clientLabel({ name: found.name, address, port }, host.settings.isPortLogged),
    isLocalUser: false,
  }
}

/** The session with a client, as it is before anything has been said. */
async function beginSession(
  host: SmtpdHost,
  stream: ByteStream,
  { peer, local, arrival }: Client,
): Promise<Session> {
  if (peer.family === 'unix' || local.family === 'unix') return new Session(host, stream, localUser)
  let endpoints: ProxyEndpoints = { client: peer, server: local }
  let isSpeechless = false
  const { proxyProtocol } = host.settings
  if (proxyProtocol !== undefined && arrival === 'accepted') {
    try {
      const told = await readProxyHeader(stream, proxyProtocol)
      if (told !== 'local') endpoints = told
    } catch (error) {
      if (!(error instanceof ProxyHeaderError)) throw error
      log.warning(`haproxy read: ${error.message}`)
      isSpeechless = true
    }
  }
  const session = new Session(host, stream, await identify(host, endpoints), arrival === 'passed')
  session.isSpeechless = isSpeechless
  return session
}

export function defineSmtpd(): ServiceDefinition {
  let tables: SmtpdTables | undefined
  return {
    program: 'smtpd',
    kind: 'single',
    beforeJail(context) {
      tables = new SmtpdTables(context.config)
    },
    start(context) {
      const { config, serviceName } = context
      const opened = (tables ??= new SmtpdTables(config))
      const settings = readSmtpdSettings(config)
      warnAboutUnsupported(config)
      const rewriter = new RewriteClient({
        path: `private/${config.text('rewrite_service_name')}`,
        timeoutMs: settings.ipcTimeoutMs,
        idleMs: config.seconds('ipc_idle') * 1000,
        ttlMs: config.seconds('ipc_ttl') * 1000,
      })
      const host: SmtpdHost = {
        cleanups: new ChannelPool(),
        settings,
        serviceName,
        rewriter,
        policy: new Policy(readPolicySettings(config, settings, rewriter, opened)),
        limits: new ClientLimits(config, serviceName, opened.limitExceptions),
        names: new ClientNames(),
        milters: new MilterStandIn(config),
        permissions: opened.permissions,
        footer: opened.footer,
        permitLog: opened.permitLog,
        commandFilter: opened.commandFilter,
      }
      return {
        serve: async (stream: ByteStream, client: Client) => {
          await converse(await beginSession(host, stream, client))
          const stale = opened.findStale()
          if (stale !== undefined)
            context.exitWhenIdle(`table ${stale.name} has changed -- restarting`)
        },
      }
    },
  }
}
