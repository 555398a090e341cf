/**
 * smtp-differences - what smtp(8) and lmtp(8) of Posthorn do otherwise on purpose, scenario by scenario, with the reason
 *
 * A listed difference that does not occur any more fails.
 */
import type { Difference } from './smtp-delivery.ts'

const staysAlive: Difference = {
  why: 'a process of ours serves many deliveries, and does not end for one of them',
  in: { log: (lines) => lines.map((line) => line.replace('fatal:', 'warning:')) },
}

const hostnameNotes: Difference = {
  why: 'Postfix says in a line of its own what is wrong with a host name',
  in: { log: (lines) => lines.filter((line) => !line.startsWith('warning: valid_hostname: ')) },
}

const withoutGoodbye: Difference = {
  why: 'when a reply makes no sense, Postfix neither keeps the connection nor says QUIT; ours says QUIT',
  in: {
    servers: (servers) =>
      Object.values(servers).map((sessions) =>
        sessions.map((sent) => sent.replace(/QUIT\r\n$/, '')),
      ),
  },
}

const halfMessage: Difference = {
  why: 'a yes to half a message loses the other half: ours defers',
  in: {
    log: (lines) => lines.map((line) => line.replace(/ dsn=.*/, '')),
    replies: (replies) => replies.length,
    done: () => 'all, or nobody',
    records: () => 'none, or one for each',
  },
}

export const differences: Record<string, Difference> = {
  'names: malformed MX host': hostnameNotes,
  'names: malformed MX hosts only': hostnameNotes,
  'names: malformed CNAME': hostnameNotes,
  'names: a name that is no name': staysAlive,
  'nexthops: a bad port': staysAlive,
  'nexthops: a port too high': staysAlive,
  'nexthops: LMTP: inet: twice': staysAlive,
  'rude content: says 250 and resets, 8 MB': halfMessage,
  'content details: LMTP: hangs up in the middle of the content, two replies': halfMessage,
  'reuse: recipients refused with a code of no use': withoutGoodbye,
  'reuse: garbage among the replies': withoutGoodbye,
}
