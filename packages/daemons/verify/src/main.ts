#!/usr/bin/env node
/**
 * verify(8) - address verification
 *
 * Knows which addresses turned out deliverable lately. An address that it does not know gets a probe: a message without
 * content that goes all the way to the delivery agent, which reports instead of delivering.
 *
 * Serves: address_verification_prrotocol on private/verify.
 * Trusts: nobody. A malformed request costs that client its connection.
 * Holds:  the cache, in memory and in a file of its own beside address_verify_map.
 * Needs:  process limit 1; a process group of its own. Runs unprivileged.
 * Source: Postfix 3.7 verify(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { verify } from './verify.ts'

runService(verify)
