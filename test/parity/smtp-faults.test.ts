/**
 * smtp-faults.test - what smtp(8) and lmtp(8) do when servers fail, and which server is next, in Postfix and in Posthorn
 */
import t from 'tap'
import { compareTables } from './smtp-delivery.ts'
import { differences } from './smtp-differences.ts'
import { limitCases, workarounds } from './smtp-limit-cases.ts'
import { fallbacks, mxLists, nexthops } from './smtp-route-cases.ts'
import { content, malformed } from './smtp-rude-cases.ts'
import { sink } from './smtp-sink-cases.ts'

t.setTimeout(120_000)

t.test('faults', async (t) => {
  await compareTables(
    t,
    {
      limits: limitCases,
      'rude content': content,
      workarounds,
      sink,
      malformed,
      MX: mxLists,
      nexthops,
      fallbacks,
    },
    differences,
  )
})
