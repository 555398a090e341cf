/**
 * milter-stand-in - what happens to mail that non_smtpd_milters should see, while they cannot be asked
 *
 * The same as when a Milter is away: the client comes again, or whatever else milter_default_action says. Only `reject`
 * becomes "come again", too: the Milter is not to blame, and we must not make mail bounce. Mail from smtpd(8) has its own
 * Milters, and so it does not matter here.
 *
 * Source: Postfix 3.7 MILTER_README, non_smtpd_milters in postconf(5).
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import type { MainConfig } from '@posthorn/config/main-config'
import { splitList } from '@posthorn/config/split-list'
import { log } from '@posthorn/log/log'
import { CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'
import type { Message } from './message.ts'

export type MilterAction = 'accept' | 'tempfail' | 'quarantine'

/** `inet:host:port`, or `{ inet:host:port, default_action=accept }`; the first that does not accept decides. */
export function milterActionOf(config: MainConfig): MilterAction {
  for (const item of splitList(config.text('non_smtpd_milters'))) {
    const own = /default_action\s*=\s*(\w+)/.exec(item)?.[1]
    const action = (own ?? config.text('milter_default_action')).toLowerCase()
    if (action !== 'accept') return action === 'quarantine' ? 'quarantine' : 'tempfail'
  }
  return 'accept'
}

export function warnAboutMilters(config: MainConfig): void {
  if (config.text('non_smtpd_milters') === '') return
  log.warning(
    'non_smtpd_milters is set and not supported yet: milter_default_action decides about the mail',
  )
}

/** To be called when the sender is known. */
export function standInForMilters(message: Message, action: MilterAction): void {
  const isFromSmtpd = message.has('smtpReply') || message.hasSmtpdMilters
  if (action === 'accept' || isFromSmtpd || !message.has('milter')) return
  const say = (verb: string, text: string): void => {
    const from = quoteAddress(message.sender ?? '')
    log.info(
      `${message.id}: milter-${verb}: CONNECT from localhost[127.0.0.1]: ${text}; from=<${from}>`,
    )
  }
  if (action === 'quarantine') {
    say('hold', 'milter triggers HOLD action')
    message.flags |= CLEANUP_FLAGS.hold
    return
  }
  const reason = '4.7.1 Service unavailable - try again later'
  say('reject', reason)
  message.fail('defer', reason)
}
