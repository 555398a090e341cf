/**
 * bcc-maps - sender_bcc_maps and recipient_bcc_maps: who gets a copy of whose mail
 *
 * Source: Postfix 3.7 postconf(5).
 */
import { log } from '@posthorn/log/log'
import type { AddressMap } from './address-map.ts'
import type { Message } from './message.ts'

export class BccMaps {
  readonly #sender: AddressMap | undefined
  readonly #recipient: AddressMap | undefined

  constructor(maps: { sender: AddressMap | undefined; recipient: AddressMap | undefined }) {
    this.#sender = maps.sender
    this.#recipient = maps.recipient
  }

  async forSender(message: Message, sender: string): Promise<string | undefined> {
    return find(message, this.#sender, sender)
  }

  async forRecipient(message: Message, recipient: string): Promise<string | undefined> {
    return find(message, this.#recipient, recipient)
  }
}

async function find(
  message: Message,
  map: AddressMap | undefined,
  address: string,
): Promise<string | undefined> {
  const answer = await map?.find(address)
  if (answer?.kind === 'tryAgain') {
    const text = `${message.id}: ${map?.name ?? ''} map lookup problem -- message not accepted, try again later`
    log.warning(text)
    message.fail('write')
  }
  return answer?.kind === 'found' ? answer.addresses[0] : undefined
}
