/**
 * mail-origin - the domain of local mail: myorigin, or the first line of the file that it names
 *
 * Debian's main.cf says `myorigin = /etc/mailname`. `$myorigin` in another parameter stays the name of the file, as in
 * Postfix.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { ConfigError } from './config-error.ts'
import { trimSpace } from './logical-lines.ts'
import { strerror } from './strerror.ts'

/** A domain name has 255. */
const LINE_LIMIT_OCTETS = 2048

/** `myorigin`: expanded. @throws {ConfigError} the file cannot be read, or there is not one value */
export function readMailOrigin(myorigin: string): string {
  const origin = myorigin.startsWith('/') ? firstLine(myorigin) : myorigin
  if (/[,\s]/.test(origin)) {
    throw new ConfigError(`myorigin parameter setting must not contain multiple values: ${origin}`)
  }
  return origin
}

function firstLine(path: string): string {
  let octets: Buffer
  try {
    octets = readStart(path)
  } catch (error) {
    throw new ConfigError(`${path}: cannot open file: ${strerror(error)}`, { cause: error })
  }
  const line = trimSpace(octets.toString('latin1').split('\n', 1)[0] ?? '')
  if (line === '') throw new ConfigError(`myorigin file ${path} is empty`)
  return line
}

/* eslint-disable n/no-sync -- a small file, once at the start of a process */
function readStart(path: string): Buffer {
  const file = openSync(path, 'r')
  try {
    const octets = Buffer.alloc(LINE_LIMIT_OCTETS)
    return octets.subarray(0, readSync(file, octets))
  } finally {
    closeSync(file)
  }
}
