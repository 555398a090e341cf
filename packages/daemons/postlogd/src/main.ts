/**
 * postlogd(8) - internal log service
 *
 * Appends the datagrams of all programs to maillog_file, in the order in which they come.
 *
 * Serves: public/postlog, a datagram socket; no reply.
 * Trusts: its writers' time stamps and tags; the socket's directory decides who may write.
 * Needs:  process limit 1. The file is opened before privileges are dropped.
 * Source: Postfix 3.7 postlogd(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { definePostlogd } from './postlogd.ts'

runService(definePostlogd())
