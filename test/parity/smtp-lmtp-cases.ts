/**
 * smtp-lmtp-cases - LMTP where it is not as SMTP, for smtp.test
 */
import type { Scenario } from './smtp-scenario.ts'

const program = { program: 'lmtp' as const }
const two = { recipients: ['a@example.test', 'b@example.test'] }
const mixed = { isLmtp: true, replies: { '.': ['250 2.1.5 a taken', '452 4.2.2 b is full'] } }
export const lmtp: Record<string, Scenario> = {
  'one recipient': { ...program, servers: { $1: { isLmtp: true } }, nexthop: '[$1]' },
  'inet: prefix': { ...program, servers: { $1: { isLmtp: true } }, nexthop: 'inet:[$1]' },
  'mixed replies': { ...program, ...two, servers: { $1: mixed }, nexthop: '[$1]' },
  'mixed replies, pipelined': {
    ...program,
    ...two,
    servers: { $1: { ...mixed, extensions: ['PIPELINING'] } },
    nexthop: '[$1]',
  },
  'one refused, one bounced at the end': {
    ...program,
    recipients: ['a@example.test', 'b@example.test', 'c@example.test'],
    servers: {
      $1: {
        isLmtp: true,
        replies: { 'RCPT TO:<b': '550 5.1.1 no', '.': ['250 2.0.0 a', '550 5.2.0 c'] },
      },
    },
    nexthop: '[$1]',
  },
  'connection lost between the replies': {
    ...program,
    ...two,
    servers: { $1: { isLmtp: true, replies: { '.': ['250 2.0.0 a', { close: true }] } } },
    nexthop: '[$1]',
  },
  'LHLO refused': {
    ...program,
    servers: { $1: { isLmtp: true, replies: { LHLO: '500 5.5.1 SMTP here' } } },
    nexthop: '[$1]',
  },
  'nobody accepted, 354 all the same': {
    ...program,
    ...two,
    servers: {
      $1: {
        isLmtp: true,
        extensions: ['PIPELINING'],
        replies: { RCPT: '550 5.1.1 no', DATA: '354 go on', '.': '503 5.5.1 nobody' },
      },
    },
    nexthop: '[$1]',
  },
  'no MX lookup': {
    ...program,
    names: { $d: { MX: [[10, 'mx.$d']], A: ['$1'] } },
    servers: { $1: { isLmtp: true } },
    nexthop: '$d',
  },
  'a Unix socket': {
    ...program,
    ...two,
    servers: { unix: { ...mixed, path: '$dir/one' } },
    nexthop: 'unix:$dir/one',
  },
  'a Unix socket that is not there': { ...program, nexthop: 'unix:$dir/none' },
  'a Unix socket, fallback relay': {
    ...program,
    nexthop: 'unix:$dir/none',
    settings: { lmtp_fallback_relay: '[$1]' },
  },
  'a Unix socket, path too long': { ...program, nexthop: `unix:$dir/${'x'.repeat(120)}` },
  'success wanted': {
    ...program,
    recipients: [{ recipient: 'a@example.test', notifyFlags: 2 }],
    servers: { $1: { isLmtp: true } },
    nexthop: '[$1]',
  },
  'success wanted, final': {
    ...program,
    args: 'flags=X',
    recipients: [{ recipient: 'a@example.test', notifyFlags: 2 }],
    servers: { $1: { isLmtp: true, extensions: ['DSN'] } },
    nexthop: '[$1]',
  },
  'success wanted, lmtp_assume_final': {
    ...program,
    recipients: [{ recipient: 'a@example.test', notifyFlags: 2 }],
    servers: { $1: { isLmtp: true, extensions: ['DSN'] } },
    nexthop: '[$1]',
    settings: { lmtp_assume_final: 'yes' },
  },
  'several hosts': { ...program, ...two, servers: { $2: { isLmtp: true } }, nexthop: '[$1], [$2]' },
}
