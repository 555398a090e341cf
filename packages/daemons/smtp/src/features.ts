/**
 * features - what a server can do, and how a session came about, as bits
 *
 * The numbers are those of Postfix 3.7, because they travel to scache(8) and from there perhaps to a real
 * smtp(8). Those that Postfix 3.7 does not have stay in this process.
 */
export const FEATURES = {
  esmtp: 1,
  eightBitMime: 2,
  pipelining: 4,
  size: 8,
  startTls: 16,
  auth: 32,
  xforwardName: 128,
  xforwardAddress: 256,
  xforwardProtocol: 512,
  xforwardHelo: 1024,
  xforwardSource: 2048,
  /** No other server of the destination is preferred to this one. Belongs to the destination. */
  bestMx: 4096,
  rsetRejected: 8192,
  fromCache: 16384,
  dsn: 32768,
  pixNoEsmtp: 65536,
  pixDelayDot: 131072,
  xforwardPort: 262144,
  /** Under TLS the server spoke before it was spoken to. */
  earlyTlsReply: 524288,
  xforwardIdent: 1048576,
  smtpUtf8: 2097152,
  /** TLS is spoken by tlsproxy(8). */
  tlsproxy: 4194304,
  /** BDAT (RFC 3030). */
  chunking: 8388608,
  /** REQUIRETLS (RFC 8689). */
  requireTls: 16777216,
} as const

/** Saved with a destination. */
export const DESTINATION_FEATURES = FEATURES.bestMx
/** Known to the process that keeps the connection, and not said to others: a real smtp(8) may mean something else by them. */
export const OWN_FEATURES = FEATURES.chunking | FEATURES.requireTls
/** Never saved for others; the first three are true of one session only. */
export const UNSAVED_FEATURES =
  FEATURES.bestMx | FEATURES.rsetRejected | FEATURES.fromCache | OWN_FEATURES

export const XFORWARD_FEATURES =
  FEATURES.xforwardName |
  FEATURES.xforwardAddress |
  FEATURES.xforwardPort |
  FEATURES.xforwardProtocol |
  FEATURES.xforwardHelo |
  FEATURES.xforwardIdent |
  FEATURES.xforwardSource
