/**
 * smtp-limit-cases - time limits of smtp(8) and lmtp(8), and workarounds for servers that need time, for smtp-faults.test
 *
 * All limits of a program are 1 s in one service: the silences then cost one second in all.
 */
import type { Script } from '@posthorn/testing/scripted-peer'
import type { Scenario } from './smtp-scenario.ts'

const never = { delayMs: 60_000 }
const three = { recipients: ['a@example.test', 'b@example.test', 'c@example.test'] }

function limits(program: 'smtp' | 'lmtp', names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`${program}_${name}_timeout`, '1s']))
}

const COMMON = ['connect', 'mail', 'rcpt', 'data_init', 'data_done', 'rset', 'quit', 'xforward']
const smtpLimits = limits('smtp', [...COMMON, 'helo'])
const lmtpLimits = limits('lmtp', [...COMMON, 'lhlo'])

function smtp(replies: Script, more: Partial<Scenario> = {}, extensions: string[] = []): Scenario {
  const servers = { $1: { replies, extensions } }
  return { servers, nexthop: '[$1]', settings: smtpLimits, ...three, ...more }
}

function lmtp(replies: Script, more: Partial<Scenario> = {}, extensions: string[] = []): Scenario {
  const servers = { $1: { replies, extensions, isLmtp: true } }
  return { program: 'lmtp', servers, nexthop: '[$1]', settings: lmtpLimits, ...three, ...more }
}

/** One octet every 0.3 s: each in time, the whole reply not within a limit of 1 s. */
const trickled = { text: '250 ok', trickleMs: 300 }
const deadline = { smtp_per_request_deadline: 'yes' }

export const limitCases: Record<string, Scenario> = {
  'HELO is not answered': smtp({ EHLO: '502 what', HELO: never }),
  'MAIL is not answered, pipelined': smtp({ MAIL: never }, {}, ['PIPELINING']),
  'DATA is not answered, pipelined': smtp({ DATA: never }, {}, ['PIPELINING']),
  'the dot is not answered, pipelined': smtp({ '.': never }, {}, ['PIPELINING']),
  'RSET is not answered after a probe': smtp({ RSET: never }, { request: { flags: 1 | 512 } }),
  'LHLO is not answered': lmtp({ LHLO: never }),
  'LMTP: the greeting': lmtp({ greeting: never }),
  'LMTP: MAIL is not answered': lmtp({ MAIL: never }),
  'LMTP: RCPT is not answered': lmtp({ 'RCPT TO:<b': never }),
  'LMTP: RCPT is not answered, pipelined': lmtp({ 'RCPT TO:<b': never }, {}, ['PIPELINING']),
  'LMTP: DATA is not answered': lmtp({ DATA: never }),
  'LMTP: the dot is not answered': lmtp({ '.': never }),
  'LMTP: the second dot is not answered': lmtp({ '.': ['250 2.0.0 a', never] }),
  'LMTP: the third dot is not answered': lmtp({ '.': ['250 2.0.0 a', '450 4.0.0 b', never] }),
  'LMTP: RSET is not answered': lmtp({ RCPT: '550 5.1.1 no', RSET: never }),
  'LMTP: QUIT is not answered': lmtp({ QUIT: never }),
  'a reply comes octet by octet': smtp({ MAIL: trickled }),
  'a reply comes octet by octet, with a deadline': smtp(
    { MAIL: trickled },
    { settings: { ...smtpLimits, ...deadline } },
  ),
  'the greeting comes octet by octet, with a deadline': smtp(
    { greeting: { text: '220 peer.test', trickleMs: 300 } },
    { settings: { ...smtpLimits, ...deadline } },
  ),
  'a reply comes octet by octet, with the old name of the deadline': smtp(
    { MAIL: trickled },
    { settings: { ...smtpLimits, smtp_per_record_deadline: 'yes' } },
  ),
  'a server that does not answer the connect': smtp({}, { servers: { $1: { isFull: true } } }),
  'a server that does not answer the connect, then a good one': {
    names: {
      $d: {
        MX: [
          [10, 'mx1.$d'],
          [20, 'mx2.$d'],
        ],
      },
      'mx1.$d': { A: ['$2'] },
      'mx2.$d': { A: ['$1'] },
    },
    servers: { $1: {}, $2: { isFull: true } },
    nexthop: '$d',
    settings: smtpLimits,
  },
}

const stars = '220 *************2***0*******'
const pix = { smtp_pix_workaround_delay_time: '1s' }

export const workarounds: Record<string, Scenario> = {
  'PIX, a new message': smtp({ greeting: stars }, { settings: pix }),
  'PIX, an old message': smtp({ greeting: stars }, { settings: pix, ageMs: 3_600_000 }),
  'PIX, no threshold': smtp(
    { greeting: stars },
    { settings: { ...pix, smtp_pix_workaround_threshold_time: '0' } },
  ),
  'PIX, only the dot': smtp(
    { greeting: stars },
    { settings: { ...pix, smtp_pix_workarounds: 'delay_dotcrlf' }, ageMs: 3_600_000 },
  ),
  'PIX, no workaround': smtp({ greeting: stars }, { settings: { smtp_pix_workarounds: '' } }),
  'EHLO 502 and the end (smtp-sink -e)': smtp({ EHLO: { text: '502 5.5.1 what', close: true } }),
  'XFORWARD is wanted, not offered (smtp-sink -F)': smtp(
    {},
    { settings: { smtp_send_xforward_command: 'yes' }, request: { clientName: 'a.test' } },
  ),
  'DSN is not offered (smtp-sink -N)': smtp(
    {},
    {
      request: { envelopeId: 'id', returnFlags: 1 },
      recipients: [
        { recipient: 'a@example.test', notifyFlags: 1 },
        { recipient: 'b@example.test', notifyFlags: 2 | 4 | 8 },
      ],
    },
  ),
  'AUTH is offered, without credentials': smtp({}, {}, ['AUTH PLAIN LOGIN', 'AUTH=PLAIN']),
}
