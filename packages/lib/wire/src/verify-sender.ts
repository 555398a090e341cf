/**
 * verify-sender - the envelope sender of address probes
 *
 * With address_verify_sender_ttl the local part ends in a number that changes every so many seconds: `probe` becomes
 * `probe1Y82K`. Mail to an old number is refused, so that an address that leaked into spam lists dies. verify(8)
 * writes the address, smtpd(8) recognises it.
 *
 * Source: Postfix 3.7 verify(8), postconf(5).
 */
const digits = '0123456789BCDFGHJKLMNPQRSTVWXYZ'

function inBase31(value: number): string {
  let text = ''
  let rest = value
  do {
    text = digits.charAt(rest % 31) + text
    rest = Math.floor(rest / 31)
  } while (rest > 0)
  return text
}

function withSuffix(sender: string, suffix: string): string {
  const at = sender.lastIndexOf('@')
  return at === -1 ? sender + suffix : sender.slice(0, at) + suffix + sender.slice(at)
}

/** The sender at this time; an empty one and `<>` stay empty. `ttlSeconds` 0: it never changes. */
export function makeVerifySender(sender: string, ttlSeconds: number, nowMs: number): string {
  if (sender === '' || sender === '<>') return ''
  if (ttlSeconds <= 0) return sender
  return withSuffix(sender, inBase31(Math.floor(nowMs / 1000 / ttlSeconds)))
}

/** Is this the sender of a probe of ours, of this interval, the one before or the one after? */
export function isVerifySender(
  address: string,
  sender: string,
  ttlSeconds: number,
  nowMs: number,
): boolean {
  if (sender === '' || sender === '<>') return false
  const wanted = address.toLowerCase()
  if (ttlSeconds <= 0) return wanted === sender.toLowerCase()
  const interval = Math.floor(nowMs / 1000 / ttlSeconds)
  return [interval, interval - 1, interval + 1].some(
    (number) => withSuffix(sender, inBase31(number)).toLowerCase() === wanted,
  )
}
