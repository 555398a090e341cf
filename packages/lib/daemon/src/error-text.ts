/**
 * error-text - what a log line says about something that was thrown
 */
import { ConfigError } from '@posthorn/config/config-error'

/** The message with the messages of its causes; for a fault of our own, also where it happened. */
export function errorText(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const isOurFault = thrown instanceof TypeError || thrown instanceof ReferenceError
  const place = isOurFault ? ` (${thrown.stack?.split('\n')[1]?.trim() ?? 'no stack'})` : ''
  // what is wrong with the configuration is said in Postfix's words, which are all that tools look for
  const isWhole = thrown.cause === undefined || thrown instanceof ConfigError
  const cause = isWhole ? '' : `: ${errorText(thrown.cause)}`
  return `${thrown.message}${place}${cause}`
}
