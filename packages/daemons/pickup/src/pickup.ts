/**
 * pickup - one look through the maildrop directory
 *
 * Goes on as long as it finds new files: mail that is dropped meanwhile would otherwise wait for the next wake-up.
 *
 * Source: Postfix 3.7 pickup(8).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { findUser } from '@posthorn/native/user'
import { scanQueue } from '@posthorn/queue/queue-scan'
import { removeFile } from '@posthorn/queue/queue-move'
import { openCleanup } from '@posthorn/wire/cleanup-protocol'
import type { SubmissionSession } from '@posthorn/wire/submission-session'
import { openMaildropFile, type MaildropFile } from './maildrop-file.ts'
import { pickupSettings, type PickupSettings } from './pickup-settings.ts'
import { transferMessage } from './transfer-message.ts'

export class Pickup {
  readonly #settings: PickupSettings

  constructor(settings: PickupSettings) {
    this.#settings = settings
  }

  async lookThroughMaildrop(): Promise<void> {
    /** Left where they are for now: they must not keep us busy for ever. */
    const left = new Set<string>()
    let hasFound = true
    while (hasFound) {
      hasFound = false
      for await (const { path } of scanQueue('maildrop')) {
        if (left.has(path)) continue
        const file = openMaildropFile(path)
        if (file === undefined) continue
        try {
          const session = await this.#connect(file)
          if (session === undefined) return // the next wake-up tries again
          if (await this.#handle(file, session)) hasFound = true
          else left.add(path)
        } finally {
          file.close()
        }
      }
    }
  }

  async #connect(file: MaildropFile): Promise<SubmissionSession | undefined> {
    const { cleanupPath, timeoutMs, mailOwnerId, requeuedFlags, newMailFlags } = this.#settings
    const flags = file.isRequeued(mailOwnerId) ? requeuedFlags : newMailFlags
    try {
      return await openCleanup(cleanupPath, { flags, timeoutMs })
    } catch (error) {
      log.warning(`connect to ${cleanupPath}: ${errorReason(error)}`)
      return undefined
    }
  }

  /** @returns true when the file is gone */
  async #handle(file: MaildropFile, session: SubmissionSession): Promise<boolean> {
    try {
      const result = await transferMessage(file, session, this.#settings)
      if (result.kind === 'tryAgain') return false
      if (result.kind === 'malformed') log.warning(result.reason)
    } catch (error) {
      log.warning(`${file.path}: error writing ${session.queueId}: ${errorReason(error)}`)
      return false
    }
    removeFile(file.path)
    return true
  }
}

export function createPickup(config: MainConfig): Pickup {
  const owner = findUser(config.text('mail_owner'))
  return new Pickup(pickupSettings(config, owner?.uid ?? -1))
}
