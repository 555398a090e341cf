/**
 * smtp.test - what smtp(8) and lmtp(8) do with what servers and name servers say, in Postfix and in Posthorn
 *
 * All tables in one run: two systems are started for all of them.
 */
import t from 'tap'
import { contents } from './smtp-content-cases.ts'
import { compareTables } from './smtp-delivery.ts'
import { addressDetails, dialogueDetails, nameDetails } from './smtp-details-cases.ts'
import { differences } from './smtp-differences.ts'
import { addressEdits, checkEdits } from './smtp-edits-cases.ts'
import { envelopes } from './smtp-envelope-cases.ts'
import { greetings } from './smtp-greeting-cases.ts'
import { lmtp } from './smtp-lmtp-cases.ts'
import { names } from './smtp-names-cases.ts'
import { notices } from './smtp-notices-cases.ts'
import { reuse } from './smtp-reuse-cases.ts'
import { servers } from './smtp-servers-cases.ts'
import { contentDetails, noticeDetails } from './smtp-small-content-cases.ts'
import { times } from './smtp-time-cases.ts'

t.setTimeout(120_000)

t.test('deliveries', async (t) => {
  const tables = {
    greeting: greetings,
    envelope: envelopes,
    time: times,
    names,
    servers,
    content: contents,
    LMTP: lmtp,
    addresses: addressEdits,
    checks: checkEdits,
    notices,
    reuse,
    'name details': nameDetails,
    'address details': addressDetails,
    'dialogue details': dialogueDetails,
    'content details': contentDetails,
    'notice details': noticeDetails,
  }
  await compareTables(t, tables, differences)
})
