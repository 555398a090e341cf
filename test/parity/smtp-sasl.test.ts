/**
 * smtp-sasl.test - AUTH by smtp(8) and lmtp(8), in Postfix and in Posthorn: against servers that check what is proved
 *
 * The real one needs the plug-ins of the package libsasl2-modules.
 */
import t from 'tap'
import { compareTables, type Difference } from './smtp-delivery.ts'
import { choices, mechanisms } from './smtp-sasl-cases.ts'
import { caches, credentials, outcomes, security } from './smtp-sasl-login-cases.ts'

t.setTimeout(120_000)

const unproved: Difference = {
  why: 'RFC 5802 5, RFC 2831 2.1.3: a server that does not prove itself is not believed',
  in: {
    servers: () => 'mail, or none',
    log: () => 'sent, or deferred',
    replies: () => 'sent, or deferred',
    done: () => 'sent, or deferred',
    records: () => 'sent, or deferred',
  },
}

const differences: Record<string, Difference> = {
  'mechanisms: DIGEST-MD5, content without a proof': unproved,
  'mechanisms: SCRAM-SHA-1, content without a proof': unproved,
  'credentials: too long for one line, and asked first': {
    why: "what the server said is logged, instead of the client's password",
    in: {
      log: (lines) => lines.map((line) => line.replace(/(challenge from server \S+: ).*/, '$1')),
      replies: (replies) =>
        JSON.stringify(replies).replace(/(challenge from server \S+: )[^"]*/, '$1'),
      records: (text) => text.replace(/(challenge from server \S+: ).*/g, '$1'),
    },
  },
  'outcomes: the postmaster gets a transcript': {
    why: 'passwords are not mailed',
    in: {
      notices: (texts) =>
        texts.map((text) =>
          text.replace(/Out: AUTH PLAIN .*/, 'Out: AUTH PLAIN').replace(/^message_size.*/m, ''),
        ),
    },
  },
}

t.test('authentication', async (t) => {
  const tables = { mechanisms, choices, credentials, outcomes, security, caches }
  await compareTables(t, tables, differences, {
    proxy_write_maps: 'proxy:btree:$data_directory/sasl_cache',
  })
})
