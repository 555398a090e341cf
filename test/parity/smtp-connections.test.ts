/**
 * smtp-connections.test - how many connections a whole system makes for so many messages, Postfix and Posthorn
 */
import { SmtpSink } from '@posthorn/testing/smtp-sink'
import { waitFor } from '@posthorn/testing/wait-for'
import t from 'tap'
import { smtpSource } from '../../scripts/load.ts'
import { onBoth } from './both-systems.ts'

t.setTimeout(120_000)

t.test('messages and connections of a whole system', async (t) => {
  const messages = 24
  // each has a transport and a domain of its own, so that one system does for all
  const cases = [
    { name: 'reused as often as possible', limit: '0', sessions: 1 },
    { name: 'reused three times', limit: '3', sessions: 6 },
    { name: 'reused once', limit: '1', sessions: 12 },
  ]
  const sinks = await Promise.all(cases.map(async () => SmtpSink.start()))
  t.teardown(async () => Promise.all(sinks.map(async (sink) => sink.close())))
  const options = {
    main: {
      relay_domains: cases.map((_, at) => `r${at}.test`).join(' '),
      transport_maps: `inline:{${sinks
        .map((sink, at) => `{r${at}.test=r${at}:[127.0.0.1]:${sink.port}}`)
        .join(' ')}}`,
      default_destination_concurrency_limit: '1',
      smtp_connection_cache_destinations: '127.0.0.1',
      // however slow the machine is
      smtp_connection_cache_time_limit: '60s',
      connection_cache_ttl_limit: '60s',
    },
    master: cases.map(
      ({ limit }, at) => `r${at} unix - - n - - smtp -o smtp_connection_reuse_count_limit=${limit}`,
    ),
  }
  const seen = await onBoth(t, options, async (instance) => {
    const before = sinks.map((sink) => [sink.messages.length, sink.connections] as const)
    await Promise.all(
      cases.map(async (_, at) =>
        smtpSource({ port: instance.smtpPort, sessions: 4, messages, to: `user@r${at}.test` }),
      ),
    )
    await waitFor(async () => (await instance.queued()).length === 0, 'an empty queue', 30_000)
    const sent = async (at: number): Promise<RegExpExecArray[]> => [
      ...(await instance.log()).matchAll(
        new RegExp(`to=<user@r${at}\\.test>, relay=\\S+ (?:conn_use=(\\d+))?.*status=sent`, 'g'),
      ),
    ]
    return Promise.all(
      cases.map(async (_, at) => {
        // a log line may come a moment after the message has left the queue
        await waitFor(
          async () => (await sent(at)).length >= messages,
          'a log line for each message',
        )
        const [messagesBefore = 0, sessionsBefore = 0] = before[at] ?? []
        return {
          messages: (sinks[at]?.messages.length ?? 0) - messagesBefore,
          sessions: (sinks[at]?.connections ?? 0) - sessionsBefore,
          uses: (await sent(at)).map(([, use]) => Number(use ?? 1)),
        }
      }),
    )
  })
  for (const [at, { name, sessions }] of cases.entries()) {
    t.equal(seen.postfix[at]?.sessions, sessions, `${name}: connections from Postfix`)
    t.same(seen.posthorn[at], seen.postfix[at], `${name}: the same connections, each used as often`)
  }
})
