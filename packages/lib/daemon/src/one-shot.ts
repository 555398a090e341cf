/**
 * one-shot - serves standard input and output once, then leaves (-S)
 *
 * For commands that run a daemon as their helper: `showq -S`, `smtpd -S`. A socket that is both input and
 * output becomes the stream itself; pipes, files and terminals are carried to and from one.
 */
import { fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import { Descriptor } from '@posthorn/native/descriptor'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { log } from '@posthorn/log/log'
import { AcceptedClient } from './accepted-client.ts'
import { dropStream, endStream } from './close-stream.ts'
import { errorText } from './error-text.ts'
import type { Service } from './service.ts'

/** Are descriptors 0 and 1 one and the same socket? */
function isDuplex(): boolean {
  // eslint-disable-next-line n/no-sync -- once, at start
  const [input, output] = [fstatSync(0), fstatSync(1)]
  return input.isSocket() && output.isSocket() && input.ino === output.ino
}

/** One end of a socket pair whose other end is carried to and from descriptors 0 and 1. */
function carried(): { near: Descriptor; drained: Promise<void> } {
  const [near, farEnd] = socketPair()
  const far = new Socket({ fd: farEnd.release(), allowHalfOpen: true })
  const drained = new Promise<void>((resolve) => {
    far.once('end', resolve)
    far.once('error', () => {
      resolve() // the service has closed before it read everything
    })
  })
  process.stdin.pipe(far) // at its end the service sees the end of input, and can still write
  far.pipe(process.stdout)
  return { near, drained }
}

/** Serves and returns; the caller ends the process. */
export async function serveOnce(service: Service, timeoutMs: number): Promise<void> {
  const pipes = isDuplex() ? undefined : carried()
  const descriptor = pipes?.near ?? Descriptor.adopt(0)
  const stream = new ByteStream(descriptor, { timeoutMs })
  const client = new AcceptedClient(
    descriptor,
    'standardInput',
    { family: 'unix', path: '' },
    { family: 'unix', path: '' },
  )
  try {
    await service.serve?.(stream, client)
    await endStream(stream)
  } catch (error) {
    log.warning(errorText(error))
  } finally {
    client.finish()
    dropStream(stream)
  }
  await pipes?.drained
}
