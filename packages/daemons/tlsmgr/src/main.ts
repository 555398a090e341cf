#!/usr/bin/env node
/**
 * tlsmgr(8) - TLS sessions and ticket keys for all processes
 *
 * A TLS client that comes back with its last session, or whose ticket somebody can still read, is spared half of the
 * handshake. The processes that talk to it come and go; tlsmgr(8) remembers for them.
 *
 * Serves: tlsmgr_protocol on private/tlsmgr.
 * Trusts: nobody. A malformed request gets a status, what is no request at all costs the connection.
 * Holds:  sessions and ticket keys, in memory only: who has them can read what was said under them.
 * Needs:  process limit 1. Runs unprivileged, may run chrooted.
 * Source: Postfix 3.7 tlsmgr(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { tlsmgr } from './tlsmgr.ts'

runService(tlsmgr)
