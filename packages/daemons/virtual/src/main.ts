/**
 * virtual(8) - delivers to the mailboxes of virtual domains
 *
 * Tables say where a mailbox is and whose it is; the writing is done with that owner's rights, in helper processes
 * (mailbox-helper.ts).
 *
 * Serves: delivery requests on private/virtual.
 * Trusts: the queue manager and its tables. Not the message.
 * Needs:  root, for owners other than itself. Does not run chrooted.
 * Source: Postfix 3.7 virtual(8).
 */
import { splitList } from '@posthorn/config/split-list'
import { runService } from '@posthorn/daemon/run-service'
import { serveDeliveries } from '@posthorn/delivery/delivery-agent'
import { createDeliveryContext } from '@posthorn/delivery/delivery-context'
import { MailboxDelivery } from '@posthorn/delivery/mailbox/mailbox-delivery'
import { isMailboxHelper, runMailboxHelper } from '@posthorn/delivery/mailbox/mailbox-helper'
import { MapList } from '@posthorn/tables/map-list'
import { virtualAgent, type AddressMap } from './virtual-agent.ts'
import { readVirtualSettings } from './virtual-settings.ts'

const args = process.argv.slice(2)
if (isMailboxHelper(args)) runMailboxHelper(args)
else {
  runService({
    program: 'virtual',
    kind: 'single',
    requires: ['privileged'],
    start({ config, serviceName }) {
      const rules = {
        extensions: {
          delimiters: config.text('recipient_delimiter'),
          isOwnerRequestSpecial: config.boolean('owner_request_special'),
          doubleBounce: config.text('double_bounce_sender'),
        },
      }
      const open = (
        name: 'virtual_mailbox_maps' | 'virtual_uid_maps' | 'virtual_gid_maps',
      ): AddressMap => {
        // What a mail system writes as somebody else depends on these: no detour, no text from the address.
        const direct = splitList(config.text(name)).map((item) => item.replace(/^proxy:/, ''))
        const map = MapList.open(name, direct.join(' '), { config, forbidsSubstitution: true })
        return async (address) => map.findAddress(address, rules)
      }
      const mailboxes = new MailboxDelivery()
      const context = createDeliveryContext(config, 'virtual_delivery_status_filter')
      const agent = virtualAgent(readVirtualSettings(config, serviceName), {
        mailboxes,
        mailboxMap: open('virtual_mailbox_maps'),
        uidMap: open('virtual_uid_maps'),
        gidMap: open('virtual_gid_maps'),
      })
      return {
        serve: async (stream, client) => serveDeliveries(stream, client, agent, context),
        stop: () => {
          mailboxes.close()
        },
      }
    },
  })
}
