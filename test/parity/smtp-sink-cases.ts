/**
 * smtp-sink-cases - the faults of smtp-sink(1) at every command, in the clear and pipelined, by SMTP and LMTP, for smtp-faults.test
 *
 * Its options -f, -r, -q and -Q, and a reset where -q hangs up properly.
 */
import type { Reply, Script } from '@posthorn/testing/scripted-peer'
import type { Scenario } from './smtp-scenario.ts'

const FAULTS: Record<string, Reply> = {
  '-f': '500 5.3.0 Error: command failed',
  '-r': '450 4.3.0 Error: command failed',
  '-q': { close: true },
  '-Q': { text: '421 4.0.0 Server closing connection', close: true },
  reset: { reset: true },
}

/** What makes the client say the command. */
const COMMANDS: Record<string, (fault: Reply) => Script> = {
  // not before the client has noticed that it is connected
  CONNECT: (fault) => ({
    greeting:
      typeof fault === 'object' && fault.reset === true ? { ...fault, delayMs: 300 } : fault,
  }),
  EHLO: (fault) => ({ EHLO: fault }),
  HELO: (fault) => ({ EHLO: '502 5.5.1 what', HELO: fault }),
  LHLO: (fault) => ({ LHLO: fault }),
  MAIL: (fault) => ({ MAIL: fault }),
  RCPT: (fault) => ({ RCPT: fault }),
  'the first RCPT': (fault) => ({ 'RCPT TO:<a': fault }),
  'the middle RCPT': (fault) => ({ 'RCPT TO:<b': fault }),
  'the last RCPT': (fault) => ({ 'RCPT TO:<c': fault }),
  DATA: (fault) => ({ DATA: fault }),
  'the dot': (fault) => ({ '.': fault }),
  'the second dot': (fault) => ({ '.': ['250 2.0.0 Ok', fault, '250 2.0.0 Ok'] }),
  RSET: (fault) => ({ RCPT: '550 5.1.1 no', RSET: fault }),
  QUIT: (fault) => ({ QUIT: fault }),
}

const NOT_IN = { smtp: ['LHLO', 'the second dot'], lmtp: ['EHLO', 'HELO'] }

export const sink: Record<string, Scenario> = {}

for (const program of ['smtp', 'lmtp'] as const) {
  for (const [command, script] of Object.entries(COMMANDS)) {
    if (NOT_IN[program].includes(command)) continue
    for (const [fault, reply] of Object.entries(FAULTS)) {
      for (const extensions of [[], ['PIPELINING']]) {
        const kind = extensions.length === 0 ? '' : ', pipelined'
        sink[`${program}, ${fault} at ${command}${kind}`] = {
          ...(program === 'lmtp' ? { program } : {}),
          servers: { $1: { replies: script(reply), extensions, isLmtp: program === 'lmtp' } },
          nexthop: '[$1]',
          recipients: ['a@example.test', 'b@example.test', 'c@example.test'],
        }
      }
    }
  }
}

for (const [fault, reply] of Object.entries(FAULTS)) {
  sink[`${fault} at RSET after a probe`] = {
    servers: { $1: { replies: { RSET: reply } } },
    nexthop: '[$1]',
    request: { flags: 1 | 512 },
  }
  sink[`${fault} at QUIT, not waited for`] = {
    servers: { $1: { replies: { QUIT: reply } } },
    nexthop: '[$1]',
    settings: { smtp_skip_quit_response: 'yes' },
  }
  for (const [which, offered] of [
    ['the first', ['XFORWARD NAME ADDR']],
    ['the second', ['XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE']],
  ] as const) {
    sink[`${fault} at ${which} XFORWARD`] = {
      servers: {
        $1: {
          extensions: offered,
          replies: { XFORWARD: which === 'the first' ? reply : ['250 2.0.0 Ok', reply] },
        },
      },
      nexthop: '[$1]',
      settings: { smtp_send_xforward_command: 'yes' },
      request: {
        clientName: `${'long'.repeat(15)}.${'name'.repeat(15)}.test`,
        clientAddress: '192.0.2.1',
        clientPort: '1234',
        clientProtocol: 'ESMTP',
        clientHelo: `${'helo'.repeat(15)}.${'name'.repeat(15)}.test`,
        logIdent: 'ident'.repeat(30),
        rewriteContext: 'remote',
      },
    }
  }
}
