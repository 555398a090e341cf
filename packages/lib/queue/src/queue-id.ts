/**
 * queue-id - the name of a message on this machine
 *
 * A queue id is also a file name, and peers send us ids: only letters, digits and the underscore get
 * in, so that no id leads out of its directory. An id contains the inode number of its file, which no
 * two files share, and the microseconds of the clock, which tell an inode's successive users apart.
 *
 *   short   9EE46 214009              5 hexadecimal digits of microseconds, inode in hexadecimal
 *   long    4jWWHL 3CqM z JPmP        seconds and microseconds in base 52, `z`, inode in base 51
 *
 * Short ids repeat over the years, long ones do not. Both can lie in one queue.
 * Source: Postfix 3.7, enable_long_queue_ids in postconf(5).
 */
import { QueueNameError } from './queue-error.ts'

declare const queueIdBrand: unique symbol
/** Checked by parseQueueId() or made by formatQueueId(). */
export type QueueId = string & { readonly [queueIdBrand]: true }

/** A point of the wall clock as queue files record it. */
export interface QueueTime {
  readonly seconds: number
  readonly microseconds: number
}

/** No vowels, so that no words come out; `z` is last, and base 51 does without it. */
const DIGITS = '0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz'
const SECONDS_WIDTH = 6
const MICROSECONDS_WIDTH = 4
const SHORT_MICROSECONDS_WIDTH = 5

function isQueueId(text: string): text is QueueId {
  return /^[0-9A-Za-z_]{1,255}$/.test(text)
}

/** The id, or undefined when the text (a directory entry, for instance) is none. */
export function findQueueId(text: string): QueueId | undefined {
  return isQueueId(text) ? text : undefined
}

/** @throws {QueueNameError} not 1 to 255 letters, digits and underscores */
export function parseQueueId(text: string): QueueId {
  if (!isQueueId(text)) throw new QueueNameError(`Cannot parse queue id "${text.slice(0, 100)}"`)
  return text
}

/** The id of the file with this inode number, created at this time. */
export function formatQueueId(time: QueueTime, inode: number, isLong: boolean): QueueId {
  const id = isLong
    ? inBase(time.seconds, 52).padStart(SECONDS_WIDTH, '0') +
      inBase(time.microseconds, 52).padStart(MICROSECONDS_WIDTH, '0') +
      'z' +
      inBase(inode, 51)
    : shortMicroseconds(time.microseconds) + inode.toString(16).toUpperCase()
  return parseQueueId(id)
}

/** What an id says about its file; undefined members could not be read. */
export interface QueueIdParts {
  readonly isLong: boolean
  readonly microseconds: number | undefined
  readonly inode: number | undefined
}

/** Works on any file name, because flush logs are hashed by the same rule as messages. */
export function splitQueueId(name: string): QueueIdParts {
  const z = name.lastIndexOf('z')
  if (z >= SECONDS_WIDTH + MICROSECONDS_WIDTH) {
    return {
      isLong: true,
      microseconds: fromBase(name.slice(z - MICROSECONDS_WIDTH, z), 52),
      inode: fromBase(name.slice(z + 1), 51),
    }
  }
  return {
    isLong: false,
    microseconds: fromHex(name.slice(0, SHORT_MICROSECONDS_WIDTH)),
    inode: fromHex(name.slice(SHORT_MICROSECONDS_WIDTH)),
  }
}

/**
 * The id that a copied or restored file must get, so that its inode number is in its name again. The
 * microseconds stay; a long id becomes a short one unless `keepsLong`.
 */
export function renameForInode(id: QueueId, inode: number, keepsLong: boolean): QueueId {
  const { isLong, microseconds } = splitQueueId(id)
  if (isLong && keepsLong)
    return parseQueueId(id.slice(0, id.lastIndexOf('z') + 1) + inBase(inode, 51))
  const prefix = isLong
    ? shortMicroseconds(microseconds ?? 0)
    : id.slice(0, SHORT_MICROSECONDS_WIDTH)
  return parseQueueId(prefix + inode.toString(16).toUpperCase())
}

/** The characters that select the hash directories: those that vary fastest. */
export function hashKey(name: string): string {
  const z = name.lastIndexOf('z')
  if (z < SECONDS_WIDTH + MICROSECONDS_WIDTH) return name
  return shortMicroseconds(fromBase(name.slice(z - MICROSECONDS_WIDTH, z), 52) ?? 0)
}

function shortMicroseconds(microseconds: number): string {
  return microseconds.toString(16).toUpperCase().padStart(SHORT_MICROSECONDS_WIDTH, '0')
}

function inBase(value: number, base: 51 | 52): string {
  let text = ''
  let rest = value
  do {
    text = DIGITS.charAt(rest % base) + text
    rest = Math.floor(rest / base)
  } while (rest > 0)
  return text
}

function fromBase(text: string, base: 51 | 52): number | undefined {
  if (text === '') return undefined
  let value = 0
  for (const digit of text) {
    const worth = DIGITS.indexOf(digit)
    if (worth < 0 || worth >= base) return undefined
    value = value * base + worth
  }
  return Number.isSafeInteger(value) ? value : undefined
}

function fromHex(text: string): number | undefined {
  return /^[0-9A-Fa-f]{1,13}$/.test(text) ? Number.parseInt(text, 16) : undefined
}
