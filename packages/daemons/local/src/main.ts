/**
 * local(8) - delivers to users of this system
 *
 * Expands aliases and .forward files. Writes to mailboxes and maildirs with the rights of their owners, in helper
 * processes (mailbox-helper.ts).
 *
 * Serves: delivery requests on private/local.
 * Trusts: the queue manager. Not the message, not the user's directories.
 * Needs:  root, for users other than its own. Does not run chrooted.
 * Source: Postfix 3.7 local(8).
 */
import { quoteAddress, unquoteAddress } from '@posthorn/address/quote-address'
import { runService } from '@posthorn/daemon/run-service'
import { serveDeliveries } from '@posthorn/delivery/delivery-agent'
import { createDeliveryContext } from '@posthorn/delivery/delivery-context'
import { MailboxDelivery } from '@posthorn/delivery/mailbox/mailbox-delivery'
import { isMailboxHelper, runMailboxHelper } from '@posthorn/delivery/mailbox/mailbox-helper'
import { findUser, findUserById } from '@posthorn/native/user'
import { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import { AliasTables } from './alias-tables.ts'
import { ForwardPaths } from './forward-paths.ts'
import { forwardMessage, readForwardSettings } from './forward-message.ts'
import { localAgent } from './local-agent.ts'
import { readLocalSettings } from './local-settings.ts'
import { passOn } from '@posthorn/delivery/pass-on'
import { MailboxRoutes } from './mailbox-routes.ts'
import { warnAboutUnsupported } from './warn-about-unsupported.ts'

const args = process.argv.slice(2)
if (isMailboxHelper(args)) runMailboxHelper(args)
else {
  runService({
    program: 'local',
    kind: 'single',
    requires: ['privileged'],
    start({ config, serviceName }) {
      warnAboutUnsupported(config)
      const context = createDeliveryContext(config, 'local_delivery_status_filter')
      const mailboxes = new MailboxDelivery()
      const rewrite = new RewriteClient({
        path: `private/${config.text('rewrite_service_name')}`,
        timeoutMs: config.seconds('ipc_timeout') * 1000,
      })
      const forwarding = readForwardSettings(config)
      const settings = readLocalSettings(config, serviceName)
      const agent = localAgent(settings, {
        findUser,
        findIdentity: (uid) =>
          uid === undefined ? findUser(settings.defaultRights) : findUserById(uid),
        mailboxes,
        aliases: new AliasTables(config),
        forwardPaths: new ForwardPaths(config),
        routes: new MailboxRoutes(config),
        complete: async (address) =>
          unquoteAddress(await rewrite.rewrite('local', quoteAddress(address))),
        resolve: async (sender, address) => rewrite.resolve(sender, address),
        passOn: async (...recipient) =>
          passOn(...recipient, config.seconds('daemon_timeout') * 1000),
        forward: async (...message) => forwardMessage(forwarding, ...message),
      })
      return {
        serve: async (stream, client) => serveDeliveries(stream, client, agent, context),
        stop: () => {
          mailboxes.close()
          rewrite.close()
        },
      }
    },
  })
}
