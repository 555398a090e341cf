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
  const cases = {
    'reused as often as possible': ['0', 1],
    'reused three times': ['3', 6],
    'reused once': ['1', 12],
  } as const
  for (const [name, [limit, sessions]] of Object.entries(cases)) {
    const sink = await SmtpSink.start()
    t.teardown(async () => sink.close())
    const main = {
      relayhost: `[127.0.0.1]:${sink.port}`,
      relay_domains: 'remote.test',
      relay_destination_concurrency_limit: '1',
      smtp_connection_cache_destinations: '127.0.0.1',
      smtp_connection_reuse_count_limit: limit,
      // however slow the machine is
      smtp_connection_cache_time_limit: '60s',
      connection_cache_ttl_limit: '60s',
    }
    const seen = await onBoth(t, { main }, async (instance) => {
      const before = { messages: sink.messages.length, sessions: sink.connections }
      const load = { port: instance.smtpPort, sessions: 4, messages, to: 'user@remote.test' }
      await smtpSource(load)
      await sink.waitForMessages(before.messages + messages, 30_000)
      await waitFor(async () => (await instance.queued()).length === 0, 'an empty queue', 30_000)
      const sent = async (): Promise<RegExpExecArray[]> => [
        ...(await instance.log()).matchAll(/relay=\S+ (?:conn_use=(\d+))?.*status=sent/g),
      ]
      // a log line may come a moment after the message has left the queue
      await waitFor(async () => (await sent()).length >= messages, 'a log line for each message')
      const uses = await sent()
      return {
        messages: sink.messages.length - before.messages,
        sessions: sink.connections - before.sessions,
        uses: uses.map(([, use]) => Number(use ?? 1)),
      }
    })
    t.equal(seen.postfix.sessions, sessions, `${name}: connections from Postfix`)
    t.same(seen.posthorn, seen.postfix, `${name}: the same connections, each used as often`)
  }
})
