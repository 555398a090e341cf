#!/usr/bin/env node
/**
 * proxymap(8) - lookup tables for processes that cannot open them
 *
 * A chrooted daemon cannot read the system's files, and a hundred processes should not hold a hundred database
 * connections: both ask here. Only for tables that main.cf names with `proxy:`.
 *
 * Serves: proxymap_protocol on private/proxymap and private/proxywrite.
 * Trusts: nobody. A table that is not approved is not opened.
 * Needs:  for proxywrite, process limit 1. Runs unprivileged.
 * Source: Postfix 3.7 proxymap(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { proxymap } from './proxymap.ts'

runService(proxymap)
