#!/usr/bin/env node
/**
 * flush(8) - deferred mail by destination
 *
 * Remembers which deferred messages wait for which destination, so that ETRN and `postqueue -s` need not look at the
 * whole queue. Only for the destinations in fast_flush_domains.
 *
 * Serves: queue_flush_protocol and the trigger `W` on public/flush.
 * Trusts: nobody. A malformed request gets a status.
 * Holds:  the logs in flush/; moves messages from deferred/ to incoming/.
 * Needs:  no process limit. Runs unprivileged.
 * Source: Postfix 3.7 flush(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { flush } from './flush.ts'

runService(flush)
