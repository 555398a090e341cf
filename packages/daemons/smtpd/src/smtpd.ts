/**
 * smtpd - the SMTP server: receives mail from the network and hands it to cleanup(8)
 */
import { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import type { Client, ServiceDefinition } from '@posthorn/daemon/run-service'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { ClientLimits } from './client-limits.ts'
import { ClientNames, unknownName, type ClientName } from './client-name.ts'
import { converse } from './conversation.ts'
import { MilterStandIn } from './milter-stand-in.ts'
import { Policy } from './restrictions/policy.ts'
import { readPolicySettings } from './restrictions/policy-settings.ts'
import { SmtpdTables } from './restrictions/smtpd-tables.ts'
import { Session } from './session.ts'
import type { SessionClient } from './session-client.ts'
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

async function identify(host: SmtpdHost, client: Client): Promise<SessionClient> {
  const { peer, local } = client
  if (peer.family === 'unix' || local.family === 'unix') return localUser
  const found: ClientName = host.settings.isPeerNameLookedUp
    ? await host.names.find(peer.address)
    : unknownName
  const port = String(peer.port)
  const label = `${found.name}[${peer.address}]${host.settings.isPortLogged ? `:${port}` : ''}`
  return {
    ...found,
    address: peer.address,
    port,
    family: peer.family,
    serverAddress: local.address,
    serverPort: String(local.port),
    label,
    isLocalUser: false,
  }
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
        settings,
        serviceName,
        rewriter,
        policy: new Policy(readPolicySettings(config, settings, rewriter, opened)),
        limits: new ClientLimits(config, serviceName, opened.limitExceptions),
        names: new ClientNames(),
        milters: new MilterStandIn(config),
      }
      return {
        serve: async (stream: ByteStream, client: Client) => {
          await converse(new Session(host, stream, await identify(host, client)))
          const stale = opened.findStale()
          if (stale !== undefined)
            context.exitWhenIdle(`table ${stale.name} has changed -- restarting`)
        },
      }
    },
  }
}
