#!/usr/bin/env node
/**
 * smtp(8), lmtp(8) - delivers mail to other mail systems
 *
 * One program with two names. Serves delivery_request_protocol on a private socket named by master.cf (smtp, relay,
 * lmtp ...); one request per connection, several at once where master says so.
 *
 * Trusts: qmgr(8). Not the servers that it talks to, nor the DNS.
 * Holds:  connections to servers, for at most smtp_connection_cache_time_limit when idle. No files of its own.
 * Needs:  no privileges; may run chrooted.
 * Source: RFC 5321, RFC 2033; Postfix 3.7 smtp(8).
 */
import { basename } from 'node:path'
import { runService } from '@posthorn/daemon/run-service'
import { defineSmtp } from './smtp.ts'

runService(defineSmtp(basename(process.argv[1] ?? '') === 'lmtp' ? 'lmtp' : 'smtp'))
