/**
 * free-port - TCP ports of the loopback interface that nobody listens on
 */
import { createServer } from 'node:net'

/** The kernel picks it; another process could take it before the caller does, which tests accept. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  const server = createServer()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.on('error', reject)
  server.listen(0, address, () => {
    const bound = server.address()
    server.close(() => {
      if (bound === null || typeof bound === 'string') reject(new Error('Cannot find a free port'))
      else resolve(bound.port)
    })
  })
  return promise
}
