/**
 * handshake-settings - the ciphers and the context of one connection, and what is said when there are none, or no handshake
 */
import type { SecureContext } from 'node:tls'
import { log } from '@posthorn/log/log'
import type { TlsClientParams } from '@posthorn/wire/tlsproxy-protocol'
import { cipherList } from './cipher-list.ts'
import { HandshakeFault } from './handshake.ts'
import { logLibraryProblems } from './library-problem.ts'
import { HandshakeError } from './tls-error.ts'

export interface CipherSettings {
  /** As the log names it. */
  readonly peer: string
  readonly cipherGrade: string
  readonly cipherExclusions: string
}

/** @throws {HandshakeError} no such grade, which has been logged */
export function ciphersFor(params: TlsClientParams, start: CipherSettings): string {
  const { peer, cipherGrade, cipherExclusions } = start
  const ciphers = cipherList(params, cipherGrade, cipherExclusions)
  return ciphers ?? refuse(`${peer}: invalid cipher grade: "${cipherGrade}"`)
}

/** What `find` gives. @throws {HandshakeError} settings of no use, which has been logged */
export function contextFor(start: CipherSettings, find: () => SecureContext): SecureContext {
  try {
    return find()
  } catch (error) {
    log.warning(`${start.peer}: error setting cipher grade: "${start.cipherGrade}"`)
    logLibraryProblems(error)
    const text = 'Cannot shake hands: no cipher is left'
    throw new HandshakeError(text, { cause: error, isLocal: true })
  }
}

/** Logs why, and throws it. */
export function refuse(text: string): never {
  log.warning(text)
  throw new HandshakeError(`Cannot shake hands: ${text}`, { isLocal: true })
}

/** `told`: `SSL_connect error to PEER`; undefined: that is for others to log. @returns what the caller throws */
export function logFailure(error: unknown, told: string | undefined): unknown {
  if (!(error instanceof HandshakeFault)) return error
  if (told !== undefined) log.info(`${told}: ${error.reason}`)
  for (const problem of error.problems) log.warning(`TLS library problem: ${problem}`)
  return new HandshakeError(error.message, { cause: error, isTimeout: error.isTimeout })
}
