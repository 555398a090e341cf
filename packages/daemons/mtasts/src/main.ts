#!/usr/bin/env node
/**
 * mtasts(8) - MTA-STS policies of destinations
 *
 * A domain says in DNS and over HTTPS that its mail servers have certificates, and what they are called (RFC 8461). smtp(8)
 * asks for that policy as for an entry of smtp_tls_policy_maps.
 *
 * Serves: socketmap_table(5) on private/mta-sts, names policy and policy-3.10; policy-answer.ts has the values.
 * Trusts: nobody. What is no request costs the connection; what comes from DNS and HTTPS is parsed or dropped.
 * Holds:  policies, in memory and in mta_sts_cache_file.
 * Needs:  process limit 1; a process group of its own; the network. Runs unprivileged, not chrooted.
 * Source: RFC 8461.
 */
import { runService } from '@posthorn/daemon/run-service'
import { mtasts } from './mtasts.ts'

runService(mtasts)
