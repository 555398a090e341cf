/**
 * asked-table - a lookup table whose answers come from a server
 *
 * A server that does not answer is no answer (house rule 3): the lookup is to be tried again, and a warning says why.
 */
import { log } from '@posthorn/log/log'
import { tryAgain, type LookupResult, type LookupTable } from './lookup-table.ts'

/** `subject` begins the warning. */
export function openAskedTable(
  reference: string,
  subject: string,
  ask: (key: string) => Promise<LookupResult>,
): LookupTable {
  return {
    name: reference,
    isPattern: true,
    find: async (key) => {
      try {
        return await ask(key)
      } catch (error) {
        const reason = `${subject}: ${error instanceof Error ? error.message : String(error)}`
        log.warning(reason)
        return tryAgain(reason)
      }
    },
  }
}
