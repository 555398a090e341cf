/**
 * compiler - lets V8 optimise sooner what a daemon does for every message
 *
 * V8 waits for 400 and 3000 calls of a function before it compiles it well; a message calls most functions once, so
 * thousands of messages went by at twice the cost (docs/performance.md).
 */
import { native } from './load.ts'

const FLAGS = [
  '--invocation-count-for-maglev=100',
  '--invocation-count-for-turbofan=1000',
  '--minimum-invocations-after-ic-update=100',
]

/** For a process that stays. Call it before the work begins. */
export function compileSooner(): void {
  for (const flag of FLAGS) native.setCompilerFlag(flag)
}
