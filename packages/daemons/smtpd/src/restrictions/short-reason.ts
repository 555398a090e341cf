/**
 * short-reason - what a name server has said, without the question: `Host not found, try again`
 */

/** `reason` is that of an answer of the resolver. */
export function shortReason(reason: string): string {
  return reason.replace(/^.* type=\w+: /, '')
}
