/**
 * capture-log - log lines kept in memory instead of being sent
 *
 * For tests that check what a program logs. Lines are as in the log, without time, host and tag.
 */
import { useSinks } from './log.ts'

/** Takes the log until `restore()`. */
export function captureLog(): { readonly lines: string[]; restore: () => void } {
  const lines: string[] = []
  const before = useSinks([
    {
      write: (_severity, text) => {
        lines.push(text)
      },
      flush: () => true,
      close: () => undefined,
    },
  ])
  return {
    lines,
    restore: () => {
      useSinks(before)
    },
  }
}
