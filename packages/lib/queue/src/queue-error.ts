/**
 * queue-error - what can be wrong with a queue file or its name
 *
 * A damaged file is never delivered and never deleted: the queue manager moves it to the corrupt
 * queue, where a person can look at it. Failing system calls stay what they are (SystemError, or
 * Node's own errors with a `code`): those mean "try again later".
 */

/** The octets are no record: cut short, too many length octets, or longer than the reader accepts. */
export class RecordError extends SyntaxError {
  readonly code = 'POSTHORN_QUEUE_RECORD'
}

/** A whole queue file breaks the rules of its format. The message is fit for a log line. */
export class QueueFileCorruptError extends SyntaxError {
  readonly code = 'POSTHORN_QUEUE_CORRUPT'
}

/** A text is not a queue id or not the name of a queue. */
export class QueueNameError extends SyntaxError {
  readonly code = 'POSTHORN_QUEUE_NAME'
}
