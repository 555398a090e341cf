/**
 * pickup(8) - carries local submissions from the maildrop directory to cleanup(8)
 *
 * A trigger makes it look through maildrop; each complete file is sent to cleanup(8) and removed when that has taken
 * responsibility. Files belong to the users who wrote them: nothing in them is believed (maildrop-file.ts).
 *
 * Serves: triggers on public/pickup; their content does not matter.
 * Trusts: nobody. A malformed file is removed with a warning.
 * Holds:  one file at a time. A crash leaves the file where it is; the message may then be queued twice, never lost.
 * Needs:  process limit 1 (-l). Runs unprivileged, may run chrooted.
 * Source: Postfix 3.7 pickup(8).
 */
import { runService } from '@posthorn/daemon/run-service'
import { createPickup } from './pickup.ts'

runService({
  program: 'pickup',
  kind: 'trigger',
  requires: ['alone'],
  start: ({ config }) => {
    const pickup = createPickup(config)
    return {
      trigger: async () => pickup.lookThroughMaildrop(),
    }
  },
})
