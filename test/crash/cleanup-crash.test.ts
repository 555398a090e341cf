/**
 * cleanup-crash - cleanup(8) is killed at every step of a conversation: a message is there as a whole, or not at all
 *
 * The client plays smtpd(8). Up to the END record nothing may ever be delivered; behind it the message may have been
 * queued, whether the client still heard of it or not, but only whole and once; and what the client heard to be queued
 * is delivered. What is left behind is ignored by qmgr(8) and cleared away by postsuper(1), as with Postfix.
 */
import { utimes } from 'node:fs/promises'
import { openCleanup } from '@posthorn/wire/cleanup-protocol'
import t, { type Test } from 'tap'
import { SYSTEMS } from '../parity/both-systems.ts'
import { CrashSite, FLAGS, messageSteps } from './crash-site.ts'

const WEEKS_AGO_SECONDS = 1_600_000_000
const ROUNDS = 12

/** Sends the first `count` steps, kills, and says whether the message was acknowledged. */
async function killAfter(site: CrashSite, number: string, count: number): Promise<boolean> {
  const options = { flags: FLAGS, timeoutMs: 20_000 }
  const session = await openCleanup(site.cleanupPath, options)
  const steps = messageSteps(number)
  for (const step of steps.slice(0, count)) {
    session.send(step)
    await session.ready()
  }
  const isAll = count === steps.length
  const verdict = isAll ? session.finish() : undefined
  await site.killCleanup()
  if (verdict === undefined) {
    session.cancel()
    return false
  }
  return (await verdict).status === 0
}

async function letPass(site: CrashSite, number: string): Promise<void> {
  const session = await openCleanup(site.cleanupPath, { flags: FLAGS, timeoutMs: 20_000 })
  for (const step of messageSteps(number)) session.send(step)
  const { status } = await session.finish()
  if (status !== 0) throw new Error(`Cannot submit: status ${status}`)
}

async function clearAway(t: Test, site: CrashSite): Promise<void> {
  const left = await site.leftovers()
  t.ok(left.length > 0, 'what a killed cleanup(8) was writing stays behind')
  for (const path of left) await utimes(path, WEEKS_AGO_SECONDS, WEEKS_AGO_SECONDS)
  await site.instance.run('postsuper', ['-p'])
  t.same(await site.leftovers(), [], 'postsuper -p clears it away')
}

t.setTimeout(120_000)
for (const system of SYSTEMS) {
  t.test(`cleanup(8) of ${system} is killed between two records`, async (t) => {
    const site = await CrashSite.start(t, system)
    const steps = messageSteps('').length
    for (let count = 0; count < steps; count++) {
      t.equal(await killAfter(site, `early-${count}`, count), false)
    }
    await letPass(site, 'good')
    await site.sink.waitForMessages(1)
    await site.quiet()
    t.same([...site.delivered()], [['good', 1]], 'nothing but the good message was delivered')
    await clearAway(t, site)
  })
}

t.test('cleanup(8) is killed while it makes the file complete', async (t) => {
  const site = await CrashSite.start(t, 'posthorn')
  const steps = messageSteps('').length
  const acknowledged: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const number = `late-${round}`
    if (await killAfter(site, number, steps)) acknowledged.push(number)
  }
  await letPass(site, 'good')
  await site.sink.waitForMessages(acknowledged.length + 1)
  await site.quiet()
  const delivered = site.delivered()
  for (const number of [...acknowledged, 'good']) {
    t.equal(delivered.get(number), 1, `${number} was acknowledged, and delivered once`)
  }
  t.ok(
    [...delivered.values()].every((count) => count === 1),
    'what was not acknowledged came once, or not at all',
  )
})
