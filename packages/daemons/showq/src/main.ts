#!/usr/bin/env node
/**
 * showq(8) - lists the queue
 *
 * Writes what is in the queue to whoever connects; postqueue(1) makes a table or JSON of it. Reads
 * queue files without locks: what it shows may be gone, or have moved, by then.
 *
 * Serves: mail_queue_list_protocol on public/showq; on standard output for postqueue(1) while the
 *         mail system is down.
 * Trusts: nobody; a client sends nothing.
 * Needs:  to read the queue. May run chrooted.
 * Source: Postfix 3.7 showq(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { showq } from './showq.ts'

runService(showq)
