#!/usr/bin/env node
/**
 * tlsrpt(8) - reports about TLS, for the domains that we send mail to
 *
 * Delivery agents tell how the TLS of each session went. Once a day each domain that asks for it gets a report: by mail, or by
 * HTTPS.
 *
 * Serves: private/tlsrpt, a datagram socket (tlsrpt-protocol.ts); no reply.
 * Trusts: nobody. Records of other domains say where reports go; what they may ask for is in report-targets.ts.
 * Holds:  the results of a day, in memory and in $data_directory/tlsrpt; limits in period-results.ts.
 * Needs:  process limit 1, no chroot. Runs unprivileged.
 * Source: RFC 8460; Postfix 3.10 TLSRPT_README, whose smtp(8) sends to this service as well.
 */
import { runService } from '@posthorn/daemon/run-service'
import { defineTlsrpt } from './tlsrpt.ts'

runService(defineTlsrpt())
