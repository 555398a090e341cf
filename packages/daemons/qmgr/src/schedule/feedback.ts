/**
 * feedback - how much one delivery moves the concurrency of its destination
 *
 * Source: Postfix 3.7 qmgr(8) and SCHEDULER_README, default_destination_concurrency_positive_feedback.
 */

/** A feedback amount; `perConcurrency` ones are divided by the window at each use. */
export interface Feedback {
  readonly amount: number
  readonly isPerConcurrency: boolean
}

const unit: Feedback = { amount: 1, isPerConcurrency: false }

/**
 * Reads `number`, `number/number` or `number/concurrency`, within 0 and 1.
 *
 * @param ignored told the text when it is none of these; the amount is then 1
 */
export function parseFeedback(text: string, ignored: (text: string) => void): Feedback {
  const match = /^\s*(\d+\.?\d*|\.\d+)\s*(?:\/\s*(concurrency|\d+\.?\d*|\.\d+)\s*)?$/.exec(text)
  const isPerConcurrency = match?.[2] === 'concurrency'
  const divisor = isPerConcurrency ? 1 : Number(match?.[2] ?? 1)
  const amount = Number(match?.[1]) / divisor
  if (match === null || !(amount >= 0 && amount <= 1)) {
    ignored(text)
    return unit
  }
  return { amount, isPerConcurrency }
}

export function feedbackAt(feedback: Feedback, window: number): number {
  return feedback.isPerConcurrency ? feedback.amount / window : feedback.amount
}
