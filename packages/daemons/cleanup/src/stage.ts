/**
 * stage - a part of the conversation that reads records: envelope, headers, body, extracted
 */
import type { RecordInput } from './record-input.ts'

/**
 * What a stage says after a step: `more` octets are needed, `again` (there may be more to do), the next stage, or `end`
 * (the client has said all).
 */
export type StepResult = 'more' | 'again' | 'end' | Stage

export interface Stage {
  /** Works on the records at the cursor. A promise only where somebody must be asked: most steps do not wait. */
  step: (input: RecordInput) => StepResult | Promise<StepResult>
}
