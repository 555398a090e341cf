/** first-stage - puts the stages of a message together */
import type { CleanupContext } from './cleanup-context.ts'
import { EnvelopeStage } from './envelope-stage.ts'
import { ExtractedStage } from './extracted-stage.ts'
import { HeaderEditor } from './header-editor.ts'
import { HeaderStage } from './header-stage.ts'
import { Inspector } from './inspector.ts'
import { LineFilter } from './line-filter.ts'
import type { Message } from './message.ts'
import type { Stage } from './stage.ts'

export function firstStage(message: Message, context: CleanupContext): Stage {
  const { settings, checkTables } = context
  return new EnvelopeStage(message, context, () => {
    const inspector =
      checkTables !== undefined && message.has('filter')
        ? new Inspector(message, checkTables, settings.bodyCheckLimit)
        : undefined
    return new HeaderStage(message, context, {
      editor: new HeaderEditor(message, context, inspector),
      filter: new LineFilter(settings),
      extracted: () => new ExtractedStage(message, context),
    })
  })
}
