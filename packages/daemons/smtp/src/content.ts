/**
 * content - the text of a message as the server is to have it, up to but without what ends it
 *
 * Headers of `flags=` in master.cf first. The text is copied as it is, in chunks of about 64 KB, except where something is to be
 * changed in it (content-editor.ts) and for long lines and dots (content-encoder.ts).
 * Source: Postfix 3.7.
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import { log } from '@posthorn/log/log'
import type { Recipient } from '@posthorn/wire/delivery-request'
import { editContent, type Edits } from './content-editor.ts'
import { ContentEncoder } from './content-encoder.ts'
import type { Dialogue } from './dialogue.ts'
import { OutgoingChecks } from './header-and-body-checks.ts'

/** `flags=` of master.cf. */
export interface HeaderFlags {
  /** R */
  returnPath: boolean
  /** O */
  originalTo: boolean
  /** D */
  deliveredTo: boolean
  /** X: this delivery is the final one. */
  isFinal: boolean
}

/**
 * The octets for those who were accepted: one recipient, when headers about the recipient are wanted. `stuffsDots`: a dot
 * ends it (RFC 5321 4.5.2). A line that had to be broken is logged, once for each delivery.
 *
 * @throws {QueueFileCorruptError} the queue file is damaged; the server has half a message then
 * @throws {LocalDataError | MimeNestingError} see content-editor.ts
 */
export async function* outgoingContent(
  dialogue: Dialogue,
  stuffsDots: boolean,
): AsyncGenerator<string> {
  const { delivery, headers, options } = dialogue
  const { file, request } = delivery.job
  const encoder = new ContentEncoder(options.lineLengthLimit, stuffsDots)
  const text = file.content(request.dataOffset, '\r\n')
  const edits = editsOf(dialogue)
  if (headers.returnPath || headers.originalTo || headers.deliveredTo) {
    const map = async (address: string): Promise<string> =>
      (await edits?.generic?.map(address)) ?? address
    yield encoder.push(await extraHeaders(request.sender, dialogue.accepted, headers, map))
  }
  for await (const chunk of edits === undefined ? text : editContent(text, edits)) {
    yield encoder.push(chunk)
  }
  const end = encoder.finish()
  if (end !== '') yield end
  if (!encoder.didBreak || delivery.hasLoggedBrokenLine) return
  delivery.hasLoggedBrokenLine = true
  const { lineLengthLimit } = options
  log.info(`${delivery.queueId}: breaking line > ${lineLengthLimit} bytes with <CR><LF>SPACE`)
}

/** What is to be changed in the text; undefined: it goes out as it is. */
function editsOf({ tables, options, delivery, isConverted }: Dialogue): Edits | undefined {
  const { generic, checks } = tables
  if (generic === undefined && checks === undefined && !isConverted) return undefined
  const { mime, protocol } = options
  const { queueId } = delivery
  return {
    generic,
    checks: checks && new OutgoingChecks(checks, { queueId, protocol }),
    isConverted,
    mime,
  }
}

async function extraHeaders(
  sender: string,
  recipients: readonly Recipient[],
  flags: HeaderFlags,
  map: (address: string) => Promise<string>,
): Promise<string> {
  const [recipient] = recipients
  let headers = ''
  if (flags.returnPath) headers += `Return-Path: <${quoteAddress(await map(sender))}>\r\n`
  if (recipient === undefined) return headers
  const { originalRecipient } = recipient
  if (flags.originalTo) {
    headers += `X-Original-To: ${quoteAddress(await map(originalRecipient))}\r\n`
  }
  if (flags.deliveredTo) {
    headers += `Delivered-To: ${quoteAddress(await map(recipient.recipient))}\r\n`
  }
  return headers
}
