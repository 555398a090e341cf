/**
 * datagram-server - receives datagrams: services of kind datagram
 *
 * Each is handed to the service as it comes; the sender hears nothing. Source: Postfix 3.7.
 */
import { DatagramSocket } from '@posthorn/native/datagram'
import { log } from '@posthorn/log/log'
import type { Descriptor } from '@posthorn/native/descriptor'
import { errorText } from './error-text.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Service } from './service.ts'
import type { StatusChannel } from './status-channel.ts'

export interface DatagramServerOptions {
  service: Service
  listeners: readonly Descriptor[]
  lifecycle: Lifecycle
  status: StatusChannel | undefined
}

export function startDatagramServer(options: DatagramServerOptions): void {
  const { service, listeners, lifecycle, status } = options
  let hasWorked = false
  const receive = (octets: string): void => {
    lifecycle.clientCame()
    try {
      service.datagram?.(octets)
    } catch (error) {
      log.warning(errorText(error))
    }
    // master counts the process as one that has worked; nobody could be started beside it
    if (!hasWorked) status?.tell('taken', 'available')
    hasWorked = true
    lifecycle.clientWent()
  }
  const sockets = listeners.map((listener) => DatagramSocket.adopt(listener))
  lifecycle.begin(() => {
    for (const socket of sockets) socket.close()
  })
  for (const socket of sockets) socket.onMessage(receive)
}
