/**
 * deliver-to-mailbox - writes a message to a mailbox with the rights of this process
 */
import { MailboxFault, failedResult } from './mailbox-fault.ts'
import { isMaildir, type MailboxJob, type MailboxResult } from './mailbox-job.ts'
import { deliverToMaildir } from './maildir.ts'
import { deliverToMbox } from './mbox.ts'

/**
 * @param content lines end in LF
 * @throws what `content` throws; the mailbox is then as it was
 */
export async function deliverToMailbox(
  job: MailboxJob,
  content: AsyncIterable<string>,
): Promise<MailboxResult> {
  const warnings: string[] = []
  try {
    if (isMaildir(job.path)) await deliverToMaildir(job, content)
    else {
      await deliverToMbox(job, content, (text) => {
        warnings.push(text)
      })
    }
    return { kind: 'delivered', warnings }
  } catch (error) {
    if (error instanceof MailboxFault) return failedResult(job, error, warnings)
    throw error
  }
}
