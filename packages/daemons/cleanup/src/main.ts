/**
 * cleanup(8) - completes a message and puts it into the queue
 *
 * Reads the records of a message from smtpd(8), pickup(8), bounce(8) or a forwarding agent; completes and maps addresses,
 * adds missing headers, inspects content, expands virtual aliases, and writes the queue file.
 *
 * Serves: cleanup_protocol on public/cleanup, one message per conversation. The stages are in *-stage.ts.
 * Trusts: its clients to speak the protocol; nobody's text. A malformed record costs that client its message.
 * Holds:  one queue file per client, nothing else: a crash loses no message that was acknowledged.
 * Needs:  no process limit (-z). Runs unprivileged, may run chrooted.
 * Source: Postfix 3.7 cleanup(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { serveCleanup } from './cleanup-session.ts'
import { openContext } from './open-context.ts'
import type { CleanupContext } from './cleanup-context.ts'

let context: CleanupContext | undefined

runService({
  program: 'cleanup',
  kind: 'single',
  requires: ['unlimited'],
  beforeJail: async (service) => {
    context = await openContext(service)
  },
  start: (service) => {
    const opened = context
    if (opened === undefined) throw new Error('Cannot start: tables were not opened')
    return {
      serve: async (stream, client) => {
        await serveCleanup(stream, client, opened, service.flowControl)
        const stale = opened.staleTable()
        if (stale !== undefined) service.exitWhenIdle(`table ${stale} has changed -- restarting`)
      },
    }
  },
})
