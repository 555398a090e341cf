/**
 * services - the same requests to flush, verify, anvil, proxymap, showq, error and discard of both systems
 *
 * Requests go over the sockets of a running instance, octet for octet the same; replies, log lines and what becomes of
 * the queue are compared. Needs root and Postfix 3.7.
 */
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { waitFor } from '@posthorn/testing/wait-for'
import { attr0, type Attr, type ListEncoding } from '@posthorn/wire/attr-list'
import { Channel } from '@posthorn/wire/channel'
import { plain } from '@posthorn/wire/plain-list'
import { connectStream } from '@posthorn/stream/byte-stream'
import t, { type Test } from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { comparable, onBoth } from './both-systems.ts'
import { QueueWatch } from './queue-watch.ts'

/** `name=value` words to a list. */
function list(text: string): Attr[] {
  return text.split('|').map((word): Attr => {
    const at = word.indexOf('=')
    return [word.slice(0, at), word.slice(at + 1)]
  })
}

/** One connection to a service: the announcement and the replies, each in one line. */
class Conversation {
  readonly #channel: Channel
  private constructor(channel: Channel) {
    this.#channel = channel
  }

  static async open(
    instance: Instance,
    path: string,
    encoding: ListEncoding = attr0,
  ): Promise<Conversation> {
    const stream = await connectStream(
      { family: 'unix', path: join(instance.queueDirectory, path) },
      { timeoutMs: 10_000 },
    )
    return new Conversation(new Channel(stream, encoding))
  }

  async hear(): Promise<string> {
    try {
      const attrs = await this.#channel.receive()
      return attrs === undefined
        ? 'closed'
        : attrs.map(([name, value]) => `${name}=${value}`).join(' | ')
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  async ask(text: string): Promise<string> {
    this.#channel.sendList(list(text))
    await this.#channel.stream.flush().catch(() => undefined)
    return this.hear()
  }

  say(octets: string): void {
    this.#channel.send(octets)
  }

  close(): void {
    this.#channel.close()
  }
}

/** Asks each on a connection of its own, after the announcement. */
async function askEach(
  instance: Instance,
  path: string,
  requests: readonly string[],
  encoding?: ListEncoding,
): Promise<Record<string, string>> {
  const replies: Record<string, string> = {}
  for (const request of requests) {
    const talk = await Conversation.open(instance, path, encoding)
    replies['announced'] = await talk.hear()
    replies[request] = await talk.ask(request)
    talk.close()
  }
  return replies
}

async function askAll(
  instance: Instance,
  path: string,
  requests: readonly string[],
  encoding?: ListEncoding,
): Promise<string[]> {
  const talk = await Conversation.open(instance, path, encoding)
  const replies = [await talk.hear()]
  for (const request of requests) replies.push(`${request} => ${await talk.ask(request)}`)
  talk.close()
  return replies
}

function compare(t: Test, results: Record<'postfix' | 'posthorn', Record<string, unknown>>): void {
  for (const [what, seen] of Object.entries(results.postfix))
    t.same(results.posthorn[what], seen, what)
}

t.setTimeout(120_000)

t.test('anvil', async (t) => {
  const main = { anvil_rate_time_unit: '60s' }
  compare(
    t,
    await onBoth(t, { main }, async (instance) => {
      const first = await askAll(
        instance,
        'private/anvil',
        [
          'request=lookup|ident=smtp:192.0.2.1',
          'request=connect|ident=smtp:192.0.2.1',
          'request=connect|ident=smtp:192.0.2.1',
          'request=message|ident=smtp:192.0.2.1',
          'request=message|ident=smtp:192.0.2.1',
          'request=recipient|ident=smtp:192.0.2.1',
          'request=newtls|ident=smtp:192.0.2.1',
          'request=newtls_status|ident=smtp:192.0.2.1',
          'request=newtls_report|ident=smtp:192.0.2.1',
          'request=auth|ident=smtp:192.0.2.1',
          'request=lookup|ident=smtp:192.0.2.1',
          'request=disconnect|ident=smtp:192.0.2.1',
          'request=disconnect|ident=smtp:192.0.2.1',
          'request=disconnect|ident=smtp:192.0.2.1',
          'request=lookup|ident=smtp:192.0.2.1',
          'request=message|ident=smtp:192.0.2.2',
          'request=lookup|ident=smtp:192.0.2.2',
          'request=connect|ident=submission:192.0.2.1',
          'request=connect|ident=[2001:db8::1]',
          'request=what|ident=smtp:192.0.2.1',
          'request=|ident=',
          'request=connect|ident=',
        ],
        plain,
      )
      const after = await askAll(
        instance,
        'private/anvil',
        [
          'request=lookup|ident=submission:192.0.2.1',
          'request=lookup|ident=smtp:192.0.2.1',
          'request=connect|ident=smtp:192.0.2.1',
        ],
        plain,
      )
      const broken = await askEach(
        instance,
        'private/anvil',
        ['ident=smtp:192.0.2.1', 'request=connect', 'request=connect|who=x'],
        plain,
      )
      await instance.stop()
      const log = (await instance.log())
        .split('\n')
        .map(comparable)
        .filter((line) => /^postfix\/anvil.*statistics/.test(line))
        .map((line) => line.replace(/ at \w{3} .*/, ' at TIME'))
      return { first, after, broken, statistics: log }
    }),
  )
})

t.test('proxymap', async (t) => {
  const main = {
    proxy_read_maps:
      'proxy:inline:{a=b} proxy:texthash:$queue_directory/table proxy:static:all proxy:hash:$queue_directory/none proxy:regexp:$queue_directory/none $nothing inline:{c=d}',
    proxy_write_maps: 'proxy:inline:{w=x}',
  }
  compare(
    t,
    await onBoth(t, { main }, async (instance) => {
      await writeFile(join(instance.queueDirectory, 'table'), 'key value one\nUPPER two\n')
      const table = `texthash:${instance.queueDirectory}/table`
      const read = await askAll(instance, 'private/proxymap', [
        'request=open|table=inline:{a=b}|flags=0',
        'request=open|table=proxy:inline:{a=b}|flags=0',
        'request=open|table=static:all|flags=0',
        `request=open|table=${table}|flags=16384`,
        'request=lookup|table=inline:{a=b}|flags=64|key=a',
        'request=lookup|table=inline:{a=b}|flags=64|key=z',
        `request=lookup|table=${table}|flags=16448|key=KEY`,
        `request=lookup|table=${table}|flags=16448|key=upper`,
        'request=lookup|table=static:all|flags=64|key=x',
        'request=lookup|table=inline:{c=d}|flags=64|key=c',
        'request=lookup|table=hash:/etc/passwd|flags=64|key=c',
        'request=open|table=hash:/etc/passwd|flags=0',
        'request=open|table=|flags=0',
        'request=sequence|table=inline:{a=b}|flags=64|function=7',
        'request=update|table=inline:{a=b}|flags=64|key=x|value=y',
        'request=delete|table=inline:{a=b}|flags=64|key=x',
        'request=what|table=inline:{a=b}|flags=64',
        'request=lookup|table=inline:{a=b}|flags=64',
        'request=lookup|table=inline:{a=b}|flags=x|key=a',
      ])
      const missing = await askAll(instance, 'private/proxymap', [
        `request=lookup|table=hash:${instance.queueDirectory}/none|flags=64|key=a`,
        `request=lookup|table=regexp:${instance.queueDirectory}/none|flags=64|key=a`,
      ])
      const write = await askAll(instance, 'private/proxywrite', [
        'request=lookup|table=inline:{a=b}|flags=64|key=a',
        'request=update|table=inline:{a=b}|flags=64|key=x|value=y',
      ])
      const isTold = async (): Promise<boolean> =>
        (await instance.log()).split('read-write access').length > 2
      await waitFor(isTold, 'the log to tell of all refusals')
      const refused = (await instance.log())
        .split('\n')
        .map(comparable)
        .filter((line) => /^postfix\/proxymap.*(approve|refus|unrecog)/.test(line))
        .sort()
      return { read: read.map(comparable), missing: missing.map(comparable), write, refused }
    }),
  )
})

t.test('verify and flush', { timeout: 110_000 }, async (t) => {
  const main = {
    default_transport: 'discard',
    relay_transport: 'discard',
    fast_flush_domains: 'site.test, later.test, .parent.test',
    relay_domains: 'site.test',
    address_verify_poll_count: '1',
    address_verify_positive_refresh_time: '7d',
    transport_maps:
      'inline:{ {later.test = retry:4.2.1 not now}, {slow.test = retry:4.2.1 slow}, {never.test = error:5.1.2 not ever}, {gone.test = discard:silently} }',
    minimal_backoff_time: '1000s',
    maximal_backoff_time: '1000s',
    queue_run_delay: '1000s',
  }
  compare(t, await onBoth(t, { main }, async (instance) => verifyAndFlush(instance)))
})

async function verifyAndFlush(instance: Instance): Promise<Record<string, unknown>> {
  const watch = new QueueWatch(instance)
  const report: Record<string, unknown> = {}

  const verify = await Conversation.open(instance, 'private/verify')
  const hello = await verify.hear()
  const requests = [
    'request=query|address=a@never.test',
    'request=query|address=a@later.test',
    'request=query|address=a@gone.test',
    'request=update|address=told@x.test|recipient_status=0|reason=all is well',
    'request=query|address=told@x.test',
    'request=update|address=told@x.test|recipient_status=2|reason=no more',
    'request=query|address=told@x.test',
    'request=update|address=bad@x.test|recipient_status=2|reason=no such user',
    'request=query|address=bad@x.test',
    'request=query|address=BAD@X.test',
    'request=update|address=bad@x.test|recipient_status=0|reason=better',
    'request=query|address=bad@x.test',
    'request=update|address=a:b@x.test|recipient_status=1|reason=wait: please',
    'request=query|address=a:b@x.test',
    'request=update|address=x@x.test|recipient_status=7|reason=what',
    'request=nonsense|address=x',
  ]
  const replies: string[] = [hello]
  for (const request of requests) replies.push(`${request} => ${await verify.ask(request)}`)
  report['verify'] = replies
  // what the probes found
  await watch.logged(/status=(un)?deliverable/, 4)
  const results = ['a@never.test', 'a@later.test', 'a@gone.test']
  report['probe results'] = await waitFor(
    async () => {
      const seen = []
      for (const address of results) seen.push(await verify.ask(`request=query|address=${address}`))
      return seen.some((line) => line.includes('recipient_status=3')) ? undefined : seen
    },
    'results of the probes',
    15_000,
  )
  verify.close()
  await watch.settle()
  report['probes in the log'] = await watch.taken(['qmgr', 'error', 'discard', 'bounce'])

  const flushLogs = async (): Promise<string[]> => {
    const directory = join(instance.queueDirectory, 'flush')
    const names = await readdir(directory)
    // A message with several recipients at a site stands there more than once, or once: our agents say it once.
    const contents = names.map(async (name) => {
      const ids = (await readFile(join(directory, name), 'latin1')).split('\n').slice(0, -1)
      return `${name}: ${new Set(ids).size}`
    })
    return (await Promise.all(contents)).sort()
  }
  const tried = async (what: string, count: number): Promise<void> => {
    await watch.logged(/status=deferred/, count)
    await watch.settle()
    report[what] = [await watch.taken(['qmgr', 'error']), await flushLogs()]
  }
  await watch.submit('s@s.test', ['a@later.test', 'b@later.test'])
  await watch.submit('s@s.test', ['c@slow.test'])
  await watch.submit('s@s.test', ['a@Later.test'])
  await tried('deferred for sites', 4)
  await instance.run('postqueue', ['-s', 'later.test'])
  await tried('postqueue -s', 3)
  const client = await SmtpClient.open(instance.smtpPort)
  await client.say('EHLO client.example.test', '250')
  const etrn: string[] = []
  for (const site of [
    'later.test',
    '@site.test',
    '#site.test',
    'slow.test',
    'other.test',
    '',
    'a b',
    '[192.0.2.1]',
  ])
    etrn.push(await client.say(`ETRN ${site}`.trim(), ''))
  await client.quit()
  report['ETRN'] = etrn
  await tried('after ETRN', 3)
  const ask = async (requests: readonly string[]): Promise<Record<string, string>> => {
    const replies = await askEach(instance, 'public/flush', requests)
    return Object.fromEntries(
      Object.entries(replies).map(([key, value]) => [comparable(key), value]),
    )
  }
  report['flush'] = await ask([
    'request=add|site=site.test|queue_id=ABCDEF0123',
    'request=add|site=sub.parent.test|queue_id=ABCDEF0123',
    'request=add|site=parent.test|queue_id=ABCDEF0123',
    'request=add|site=other.test|queue_id=ABCDEF0123',
    'request=add|site=site.test|queue_id=../../etc/passwd',
    'request=add|site=../x.parent.test|queue_id=ABCDEF0123',
    'request=send_site|site=other.test',
    'request=send_file|queue_id=nonsense!',
    'request=send_file|queue_id=ABCDEF0123',
    'request=what',
    'request=add|site=site.test',
    'nothing=x',
  ])
  report['logs after requests'] = await flushLogs()
  // Postfix takes a log that was read this very second for fresh.
  for (const name of ['later_test', 'site_test']) {
    await utimes(
      join(instance.queueDirectory, 'flush', name),
      Date.now() / 1000 - 10,
      Date.now() / 1000,
    )
  }
  report['purge'] = await ask(['request=purge'])
  await tried('after a purge', 3)
  await utimes(join(instance.queueDirectory, 'flush/later_test'), 1000, Date.now() / 1000)
  report['refresh'] = await ask(['request=rfrsh'])
  await tried('after a refresh', 3)
  report['showq'] = await listing(instance)
  return report
}

/** Everything that showq says, without what is each run's own. */
async function listing(instance: Instance): Promise<string[]> {
  const talk = await Conversation.open(instance, 'public/showq')
  const said: string[] = []
  for (let line = await talk.hear(); line !== 'closed'; line = await talk.hear()) {
    said.push(comparable(line).replace(/\b(time|size)=\d+/g, '$1=N'))
  }
  talk.close()
  return said.sort()
}
