/**
 * ETRN - asks for delivery of mail that waits for a domain (RFC 1985)
 *
 * flush(8) does the work; which domains it serves is fast_flush_domains. These replies have no enhanced codes:
 * RFC 1985 is older than they are.
 */
import { isValidAddressLiteral, isValidUtf8Hostname } from '@posthorn/address/hostname'
import { log } from '@posthorn/log/log'
import { FLUSH_STATUS, SendSiteRequest, sendFlushRequest } from '@posthorn/wire/flush-protocol'
import type { Session } from '../session.ts'
import type { Verb, VerbOutcome } from '../verb.ts'

export const etrn: Verb = {
  name: 'ETRN',
  isJunk: true,
  async serve(session, command) {
    const { host } = session
    const [given, ...more] = command.words
    // RFC 1985 5.1: `@` and `#` name subdomains and queues; neither exists here
    const domain = given?.replace(/^[@#]/, '') ?? ''
    const refusal =
      host.settings.isHeloRequired && session.helo === undefined
        ? '503 Error: send HELO/EHLO first'
        : session.transaction !== undefined
          ? '503 Error: MAIL transaction in progress'
          : given === undefined || more.length > 0
            ? '500 Syntax: ETRN domain'
            : !isValidUtf8Hostname(domain) && !isValidAddressLiteral(domain)
              ? '501 Error: invalid parameter syntax'
              : await host.policy.checkEtrn(session, domain)
    if (refusal !== undefined) {
      session.reply(refusal)
      return 'error'
    }
    return flushDomain(session, domain)
  },
}

async function flushDomain(session: Session, domain: string): Promise<VerbOutcome> {
  const { host, client } = session
  if (!(await host.policy.isFlushed(domain))) {
    log.warning(`reject: ETRN ${domain}... from ${client.label}`)
    session.reply(`459 <${domain}>: service unavailable`)
    return 'error'
  }
  let status: number = FLUSH_STATUS.failed
  try {
    status = await sendFlushRequest(
      host.settings.flushPath,
      { request: SendSiteRequest.request, site: domain },
      { timeoutMs: host.settings.ipcTimeoutMs },
    )
  } catch (error) {
    log.warning(
      `unable to talk to fast flush service: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  switch (status) {
    case FLUSH_STATUS.ok:
      session.reply('250 Queuing started')
      return 'done'
    case FLUSH_STATUS.bad:
      log.warning(`bad ETRN ${domain}... from ${client.label}`)
      session.reply('458 Unable to queue messages')
      return 'error'
    case FLUSH_STATUS.denied:
      log.warning(`reject: ETRN ${domain}... from ${client.label}`)
      session.reply(`459 <${domain}>: service unavailable`)
      return 'error'
    default:
      session.reply('458 Unable to queue messages')
      return 'error'
  }
}
