/**
 * peer-script - what a scripted peer may say, and to what
 */
import type { SecureContextOptions } from 'node:tls'
import type { CertificateRequest } from './test-certificates.ts'

export interface ScriptedReply {
  /** Without CRLF at the end; lines of a longer one are separated by CRLF. Undefined: says nothing. */
  text?: string
  /** Sent after the text as they are, without CRLF; latin1. */
  octets?: string
  delayMs?: number
  /** Octet by octet, with this pause after each. */
  trickleMs?: number
  /** Hangs up afterwards. */
  close?: boolean
  /** Hangs up afterwards with a reset: what is on its way to the peer is refused. */
  reset?: boolean
  /** Reads nothing for so long afterwards; Infinity: never again. What was said goes out first. */
  deafMs?: number
  /** Said after that, whatever the client does meanwhile. */
  unasked?: ScriptedReply
}

export type Reply = string | ScriptedReply
export type Script = Record<
  string,
  Reply | readonly Reply[] | ((line: string, session: PeerSession) => Reply)
>

/** What node:tls takes, and what this server shows. */
export interface PeerTls extends SecureContextOptions {
  /** Default: a good one for peer.test; false: none, for ciphers that need none. */
  certificate?: CertificateRequest | false
  /** TLS before the greeting (RFC 8314), instead of STARTTLS. */
  isWrapper?: boolean
  /** Asks the client for a certificate, and takes any, or none. */
  requestCert?: boolean
  /** Keywords offered under TLS; default: those offered without. */
  extensions?: readonly string[]
}

export interface PeerOptions {
  replies?: Script
  /** Keywords offered in the reply to EHLO or LHLO. */
  extensions?: readonly string[]
  /** One reply for each accepted recipient after the content (RFC 2033). */
  isLmtp?: boolean
  /** STARTTLS is offered, and works. */
  tls?: PeerTls
  /** Serve a Unix socket instead of TCP. */
  path?: string
  address?: string
  port?: number
  /** Send and receive buffer of each connection, so that a client cannot send much that nobody reads. IPv4 only. */
  windowBytes?: number
  /** Does not answer when somebody connects: neither takes the connection nor refuses it. Needs a port; IPv4 only. */
  isFull?: boolean
}

export interface PeerTlsFacts {
  readonly protocol: string
  readonly cipher: string
  /** As the client named us (SNI); '' when it did not. */
  readonly servername: string
  /** CN of the certificate that the client showed; '' without one. */
  readonly client: string
  readonly isResumed: boolean
}

export interface PeerSession {
  /** Every octet of plaintext; latin1. Where TLS began stands a line of ours, `[TLS ...]`. */
  received: string
  /** Command lines without CRLF, in order; content is not among them. */
  readonly commands: string[]
  /** Those that came under TLS. */
  readonly tlsCommands: string[]
  readonly messages: PeerMessage[]
  /** Since the handshake. */
  tls?: PeerTlsFacts
  isClosed: boolean
}

export interface PeerMessage {
  sender: string
  recipients: string[]
  /** As received, dots stuffed, CRLF at every end of line, without the final dot; latin1. */
  content: string
}
