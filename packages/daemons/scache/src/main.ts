#!/usr/bin/env node
/**
 * scache(8) - shared connection cache
 *
 * Lends a delivery agent's idle connection to a later delivery. A connection is an open descriptor with text that
 * only the delivery agent understands; scache(8) neither reads nor writes it.
 *
 * Serves: connection_cache_protocol on private/scache.
 * Trusts: nobody. A malformed request costs that client its connection at most.
 * Holds:  descriptors, each at most connection_cache_ttl_limit seconds. No secrets, no files.
 * Needs:  process limit 1. Runs unprivileged, may run chrooted.
 * Source: Postfix 3.7 scache(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { scache } from './scache.ts'

runService(scache)
