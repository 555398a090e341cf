/**
 * library-problem - what OpenSSL complains about, in the log
 *
 *     warning: TLS library problem: error:0A000410:SSL routines::ssl/tls alert handshake failure:FILE:LINE:SSL alert number 40:
 *
 * Without the number of the thread, and without the name of the function, which Postfix does not log either.
 */
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'

/** The lines that an error of node:tls or node:crypto carries; none: it does not come from OpenSSL. */
export function libraryProblems(error: unknown): string[] {
  if (!(error instanceof Error)) return []
  const stack: unknown = Reflect.get(error, 'opensslErrorStack')
  const earlier = Array.isArray(stack) ? stack.filter((line) => typeof line === 'string') : []
  return [error.message, ...earlier].flatMap((text) => {
    const found = /error:[0-9A-F]{8}:.*/s.exec(text)?.[0]
    return found === undefined ? [] : [asLogged(found.trim())]
  })
}

function asLogged(text: string): string {
  return text.replace(/^(error:[0-9A-F]+:[^:]*):[^:]*:/, '$1::').replace(/([^:])$/, '$1:')
}

export function logLibraryProblems(error: unknown): void {
  for (const problem of libraryProblems(error)) log.warning(`TLS library problem: ${problem}`)
}

/** As OpenSSL words it when a file cannot be opened. */
export function logOpenProblem(path: string, error: unknown): void {
  const errno: unknown = error instanceof Error ? Reflect.get(error, 'errno') : undefined
  const number = (0x80000000 + (typeof errno === 'number' ? Math.abs(errno) : 0)).toString(16)
  log.warning(
    `TLS library problem: error:${number.toUpperCase()}:system library::${errorReason(error)}:calling fopen(${path}, r):`,
  )
}
