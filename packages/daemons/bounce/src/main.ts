#!/usr/bin/env node
/**
 * bounce(8) - delivery status notifications
 *
 * Records what happened to each recipient of a message, and tells the sender: at once, when the
 * message is given up, when it is late, or when it arrived. One program, three services; the name of
 * the service says which log it keeps.
 *
 *   bounce   recipients that will never get the message
 *   defer    recipients that did not get it yet; also sends notices of delay
 *   trace    reports that somebody asked for
 *
 * Serves: delivery_status_protocol on private/bounce, private/defer, private/trace.
 * Trusts: its clients, which are our own programs. What is in a log or a notice is made printable.
 * Holds:  nothing; logs are on disk before a request is answered.
 * Needs:  no process limit. Runs unprivileged, may run chrooted.
 * Source: Postfix 3.7 bounce(8), RFC 3464.
 */
import { runService } from '@posthorn/daemon/run-service'
import { bounce } from './bounce.ts'

runService(bounce)
