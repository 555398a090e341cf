/**
 * trivial-rewrite(8) - how an address is written, and where it goes
 *
 * Completes addresses (rewrite) and decides transport, next-hop and address class (resolve, verify). Everybody
 * who handles addresses asks here, so that there is one answer.
 *
 * Serves: trivial_rewrite_protocol on private/rewrite.
 * Trusts: nobody. A malformed request costs that client its connection.
 * Holds:  the tables of main.cf that route mail; leaves when one of them has changed.
 * Source: Postfix 3.7 trivial-rewrite(8), transport(5), relocated(5), ADDRESS_CLASS_README.
 */
import { runService } from '@posthorn/daemon/run-service'
import { trivialRewrite } from './trivial-rewrite.ts'

runService(trivialRewrite)
