/**
 * smtpd(8) - SMTP server
 *
 * Receives mail from the network: speaks SMTP (RFC 5321 and the extensions in verbs/ehlo.ts), decides who may
 * send what to whom (restrictions/), and hands each message to cleanup(8). It writes no mail itself.
 *
 * Serves: TCP port 25 and others; private/smtpd for clients that postscreen(8) passes on.
 * Trusts: nobody. Everything a client can make it hold has a limit; it holds no secrets.
 * Ends a session: too many errors, 421 and 521 replies, time limits. Ends the process: configuration only.
 * Source: Postfix 3.7 smtpd(8); test/parity compares the two.
 */
import { runService } from '@posthorn/daemon/run-service'
import { defineSmtpd } from './smtpd.ts'

runService(defineSmtpd())
