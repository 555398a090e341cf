/**
 * channel-pool - connections to services that stay for another conversation
 *
 *     C>S  ...the request, with the flag that asks the service to stay
 *     S>C  { ..., stays=1 }      the reply: it does
 *          { }                   the client, when it has something new to say: an empty list
 *     S>C  { protocol, ... }     the announcement, as after connect(2)
 *
 * Only Posthorn's services stay, and only for clients that ask: Postfix's know neither the flag nor the mark, and the two
 * part after one conversation as ever. Between conversations a service may leave at any moment, and does so when it is
 * full, so that the client finds one that has room: a client that hears no announcement connects anew.
 *
 * Limits: 64 idle connections to a service.
 */
import { EndOfStreamError } from '@posthorn/stream/byte-stream'
import type { AttrReader, Field } from './attr-schema.ts'
import { Channel, type ConnectOptions } from './channel.ts'

/** In the flags of a request that asks the service to stay. */
export const STAY_FLAG = 1 << 24

/** What a client sends to a service that stayed: an empty list. */
export const NEXT_CONVERSATION = '\0'

const MAX_IDLE = 64

/** The last attribute of a reply; absent when false, as Postfix's clients expect. */
export const staysField: Field<boolean> = {
  encode: (stays) => (stays ? 'stays\x001\0' : ''),
  format: (stays, into) => {
    if (stays) into.push(['stays', '1'])
  },
  parse: (reader: AttrReader) => reader.isNext('stays') && reader.next('stays') === '1',
}

export class ChannelPool {
  readonly #idle = new Map<string, Channel[]>()

  /** A channel whose service has just announced itself: one that stayed, or a new one. @throws as Channel.connect() */
  async connect(path: string, options: ConnectOptions): Promise<Channel> {
    for (;;) {
      const channel = this.#idle.get(path)?.pop()
      if (channel === undefined) return Channel.connect(path, options)
      if (await isAwake(channel, options.protocol)) return channel
      channel.close()
    }
  }

  /** Between conversations; the service has said that it stays. */
  release(path: string, channel: Channel): void {
    let idle = this.#idle.get(path)
    if (idle === undefined) this.#idle.set(path, (idle = []))
    if (idle.length >= MAX_IDLE) {
      channel.close()
      return
    }
    idle.push(channel)
    channel.stream.watchHangup(() => {
      const index = idle.indexOf(channel)
      if (index === -1) return // it is being asked
      idle.splice(index, 1)
      channel.close()
    })
  }

  /** Hangs up on all that wait. */
  close(): void {
    for (const idle of this.#idle.values()) {
      for (const channel of idle.splice(0)) channel.close()
    }
  }
}

/** False: the service has left, without having read anything that matters. */
async function isAwake(channel: Channel, protocol: string): Promise<boolean> {
  try {
    channel.send(NEXT_CONVERSATION)
    await channel.expectAnnouncement(protocol)
    return true
  } catch (error) {
    if (error instanceof EndOfStreamError) return false
    throw error
  }
}
