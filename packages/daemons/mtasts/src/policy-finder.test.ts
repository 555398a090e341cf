/**
 * policy-finder.test - the rules of RFC 8461 about records, policies, caches and failures
 */
import type { DnsAnswer } from '@posthorn/dns/dns-answer'
import { captureLog } from '@posthorn/log/capture-log'
import { CacheFile } from '@posthorn/tables/cache-file'
import t from 'tap'
import { FailureMemory } from './failure-memory.ts'
import { FetchSlots } from './fetch-slots.ts'
import { PolicyError } from './mtasts-error.ts'
import { PolicyCache } from './policy-cache.ts'
import { PolicyFinder } from './policy-finder.ts'
import { Refresher } from './refresher.ts'
import { policyText } from './test/policy-site.ts'

const DAY = 86_400
const name = '_mta-sts.example.test'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

/** A world for one domain. `record`: ids, or what DNS says instead; `policy`: text, or an error. */
function world(slots = new FetchSlots({ limit: 2, waitingLimit: 2, waitMs: 1 })) {
  logged.lines.length = 0
  const clock = { seconds: 1_700_000_000 }
  const now = (): number => clock.seconds
  const state = {
    record: ['id1'] as readonly string[] | 'notFound' | 'tryAgain',
    policy: policyText('enforce', ['mx.example.test'], 7 * DAY) as string | PolicyError,
    queries: 0,
    fetches: 0,
    gate: Promise.resolve() as Promise<unknown>,
  }
  const cache = new PolicyCache(new CacheFile({ path: undefined }), { entriesLimit: 5, now })
  const finder = new PolicyFinder({
    cache,
    failures: new FailureMemory(now),
    slots,
    retrySeconds: 300,
    now,
    fetch: async () => {
      state.fetches += 1
      await state.gate
      if (typeof state.policy !== 'string') throw state.policy
      return state.policy
    },
    queryTxt: async () => {
      state.queries += 1
      return Promise.resolve(answer(state.record))
    },
  })
  const refresher = new Refresher(cache, finder, now)
  /** The mode, or the kind of the answer, and the failure. */
  const ask = async (domain = 'example.test'): Promise<string> => {
    const found = await finder.find(domain)
    if (found.kind === 'policy') return `${found.policy.mode} ${found.remainingSeconds}`
    return found.kind === 'broken' ? `broken ${found.failure}` : found.kind
  }
  return { clock, state, cache, finder, refresher, ask }
}

function answer(record: readonly string[] | 'notFound' | 'tryAgain'): DnsAnswer<'TXT'> {
  if (typeof record === 'string') return { kind: record, name, reason: `${record} it is` }
  const records = record.map((id) => ({ name, ttlSeconds: 0, text: `v=STSv1; id=${id};` }))
  return { kind: 'found', name, records, isSecure: false }
}

const unreachable = new PolicyError('sts-policy-fetch-error', 'Connection refused')

t.test('a policy is fetched once, and again for another id', async (t) => {
  const { clock, state, ask } = world()
  t.equal(await ask(), `enforce ${7 * DAY}`)
  clock.seconds += 59
  t.equal(await ask(), `enforce ${7 * DAY - 59}`)
  t.same([state.queries, state.fetches], [1, 1], 'not even the record is looked at again')
  clock.seconds += 1
  t.equal(await ask(), `enforce ${7 * DAY - 60}`)
  t.same([state.queries, state.fetches], [2, 1])

  state.record = ['id2']
  state.policy = policyText('testing', ['mx.example.test'], DAY)
  clock.seconds += 60
  t.equal(await ask(), `testing ${DAY}`)
  t.equal(state.fetches, 2)
  t.same(logged.lines, [
    'example.test: policy id1 mode enforce, max_age 604800',
    'example.test: policy id2 mode testing, max_age 86400',
  ])
})

t.test(
  'no record, several, none that could be had: no policy, and nothing is fetched',
  async (t) => {
    for (const record of ['notFound', 'tryAgain', [], ['id1', 'id2'], ['a-b']] as const) {
      const { state, ask } = world()
      state.record = record
      t.equal(await ask(), 'absent')
      t.equal(state.fetches, 0)
      t.same(logged.lines, [])
    }
  },
)

t.test('a name server that is silent is asked again after a minute', async (t) => {
  const { clock, state, ask } = world()
  state.record = 'tryAgain'
  t.equal(await ask(), 'absent')
  state.record = ['id1']
  t.equal(await ask(), 'absent')
  t.equal(state.queries, 1)
  clock.seconds += 60
  t.equal(await ask(), `enforce ${7 * DAY}`)
})

t.test('what is in the cache counts when DNS or HTTPS fails, until it expires', async (t) => {
  const { clock, state, ask } = world()
  t.equal(await ask(), `enforce ${7 * DAY}`)
  for (const record of ['notFound', 'tryAgain', ['a', 'b']] as const) {
    state.record = record
    clock.seconds += DAY
    t.match(await ask(), /^enforce/)
  }
  t.equal(state.queries, 4)
  state.record = ['id2']
  state.policy = unreachable
  clock.seconds += DAY
  t.equal(await ask(), `enforce ${3 * DAY}`)
  t.match(logged.lines[1], /no policy id2: Connection refused .*id id1 stays in force/)
  clock.seconds += 3 * DAY
  t.equal(await ask(), 'broken sts-policy-fetch-error')
})

t.test('a fetch that failed is not repeated for five minutes, but for another id', async (t) => {
  const { clock, state, ask } = world()
  const broken = 'broken sts-policy-invalid'
  state.policy = 'nothing of the kind'
  t.equal(await ask(), broken)
  clock.seconds += 299
  t.equal(await ask(), broken)
  t.equal(state.fetches, 1)
  clock.seconds += 1
  t.equal(await ask(), broken)
  t.equal(state.fetches, 2)
  state.record = ['id2']
  t.equal(await ask(), broken)
  t.equal(state.fetches, 3)
  state.record = ['id3']
  state.policy = policyText('none', [], DAY)
  t.equal(await ask(), `none ${DAY}`)
  t.equal(logged.lines.length, 4)
  t.match(
    logged.lines[0],
    'warning: example.test: no policy id1: the policy is invalid: a line that is no field (sts-policy-invalid)',
  )
})

t.test('max_age 0 counts for those who ask now', async (t) => {
  const { state, ask } = world()
  state.policy = policyText('enforce', ['mx.example.test'], 0)
  t.equal(await ask(), 'enforce 0')
  t.equal(await ask(), 'enforce 0')
  t.equal(state.fetches, 2)
})

t.test('questions at the same time share one fetch', async (t) => {
  const { state, ask } = world()
  let open: (value: unknown) => void = () => undefined
  state.gate = new Promise((resolve) => (open = resolve))
  const asked = Array.from({ length: 200 }, async () => ask())
  await new Promise((resolve) => setImmediate(resolve))
  open(undefined)
  t.same(new Set(await Promise.all(asked)), new Set([`enforce ${7 * DAY}`]))
  t.same([state.queries, state.fetches], [1, 1])
})

t.test('too many fetches: whoever has no policy must wait, whoever has one need not', async (t) => {
  const { clock, state, ask } = world()
  t.match(await ask('known.test'), /^enforce/)
  state.record = ['id2']
  clock.seconds += 60
  let open: (value: unknown) => void = () => undefined
  state.gate = new Promise((resolve) => (open = resolve))
  const slow = [ask('a.test'), ask('b.test')]
  const waiting = [ask('c.test'), ask('d.test')]
  t.equal(await ask('e.test'), 'tryAgain')
  t.same(await Promise.all(waiting), ['tryAgain', 'tryAgain'])
  t.equal(await ask('known.test'), `enforce ${7 * DAY - 60}`)
  t.equal(state.fetches, 3)
  open(undefined)
  t.match(await Promise.all(slow), [/^enforce/, /^enforce/])
  clock.seconds += 60
  t.match(await ask('e.test'), /^enforce/)
})

t.test('a policy in use is refreshed every day, so that it does not expire', async (t) => {
  const { clock, state, refresher, ask, cache } = world()
  await ask()
  clock.seconds += DAY - 1
  await refresher.run()
  t.equal(state.fetches, 1)
  for (let day = 1; day <= 20; day++) {
    clock.seconds += DAY
    await refresher.run()
    t.equal(state.fetches, 1 + day)
  }
  t.equal(await ask(), `enforce ${7 * DAY}`)
  t.equal(logged.lines.length, 1, 'nothing new, nothing in the log')

  // a record that does not change hides no new policy
  state.policy = policyText('enforce', ['mx2.example.test'], 7 * DAY)
  clock.seconds += DAY
  await refresher.run()
  t.match(cache.find('example.test'), { policy: { mxPatterns: ['mx2.example.test'] } })
  t.equal(logged.lines.length, 2)

  // nobody asks for it for a month
  const before = state.fetches
  for (let day = 0; day < 60; day++) {
    clock.seconds += DAY
    await refresher.run()
  }
  t.equal(state.fetches, before + 28)
  t.equal(cache.size, 0)
})

t.test(
  'a policy that asks for nothing is not refreshed; it is looked for again when it expires',
  async (t) => {
    const { clock, state, refresher, ask } = world()
    state.policy = policyText('none', [], 2 * DAY)
    t.equal(await ask(), `none ${2 * DAY}`)
    clock.seconds += DAY
    await refresher.run()
    t.equal(state.fetches, 1)
    state.policy = policyText('enforce', ['mx.example.test'], DAY)
    t.equal(await ask(), `none ${DAY}`)
    clock.seconds += DAY
    t.equal(await ask(), `enforce ${DAY}`)
  },
)

t.test(
  'a refresh that fails is logged, tried again in an hour, and takes nothing away',
  async (t) => {
    const { clock, state, refresher, ask } = world()
    await ask()
    state.policy = unreachable
    clock.seconds += DAY
    await Promise.all([refresher.run(), refresher.run()])
    t.equal(state.fetches, 2)
    clock.seconds += 3599
    await refresher.run()
    t.equal(state.fetches, 2)
    state.record = 'notFound'
    clock.seconds += 1
    await refresher.run()
    t.same(logged.lines.slice(1), [
      'warning: example.test: cannot refresh policy id1, in force for 6 days: Connection refused',
      'warning: example.test: cannot refresh policy id1, in force for 5 days: notFound it is',
    ])
    t.match(await ask(), /^enforce/)
    // a policy that lives for an hour is refreshed after half of it
    state.record = ['id2']
    state.policy = policyText('enforce', ['mx.example.test'], 3600)
    clock.seconds += 3600
    await refresher.run()
    const before = state.fetches
    clock.seconds += 1800
    await refresher.run()
    t.equal(state.fetches, before + 1)
  },
)
