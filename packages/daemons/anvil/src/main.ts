#!/usr/bin/env node
/**
 * anvil(8) - session counts and request rates
 *
 * Tells smtpd(8) how many connections a client has, and how many requests it made lately; smtpd(8) decides what is too
 * many. Everything is in memory and forgotten after anvil_rate_time_unit.
 *
 * Serves: anvil_protocol on private/anvil, in the plain encoding.
 * Trusts: nobody. A malformed request costs that client its connection.
 * Needs:  process limit 1. Runs unprivileged, may run chrooted.
 * Source: Postfix 3.7 anvil(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { anvil } from './anvil.ts'

runService(anvil)
