/**
 * bounce-requests - a message, and one request of each kind about it
 */
export const message = {
  name: '',
  text: 'From: ann@x.test\nSubject: hello\n folded\nTo: to@example.net\nMessage-Id: <m1@x.test>\n\nbody\n\nmore',
}
export const failure = { message, request: 1 } as const
export const delay = {
  message,
  request: 2,
  log: 'defer',
  entries: [{ dsn: { status: '4.4.1', action: 'delayed', reason: 'connection timed out' } }],
} as const
export const success = {
  message,
  request: 5,
  log: 'trace',
  entries: [{ dsn: { status: '2.0.0', action: 'relayed', reason: 'delivery via x: ok' } }],
} as const
