/**
 * dns-answer - what a DNS lookup can end with
 *
 * An outcome says what became of the question, never only "no": mail is bounced for a name that does not
 * exist and waits for a server that does not answer. `reason` is the text that people know from the log.
 * Sources: RFC 1035, RFC 2308 (negative answers), RFC 7505 (null MX); texts of Postfix 3.7.
 */

export interface RecordData {
  A: { address: string }
  AAAA: { address: string }
  MX: { preference: number; host: string }
  TXT: { text: string }
  SRV: { priority: number; weight: number; port: number; host: string }
  PTR: { host: string }
  NS: { host: string }
  TLSA: { usage: number; selector: number; matchingType: number; certificate: Buffer }
}

export type RecordType = keyof RecordData

/** Names have no dot at the end; `name` is the owner of the record, at the end of any CNAME chain. */
export type DnsRecord<T extends RecordType> = RecordData[T] & { name: string; ttlSeconds: number }

export interface FoundAnswer<T extends RecordType> {
  kind: 'found'
  /** The name that owns the records: the one asked for, or where its aliases (CNAME) led. */
  name: string
  records: readonly DnsRecord<T>[]
  /** The server says that it validated the answer (AD, RFC 4035 3.2.3); only with the option `dnssec`. */
  isSecure: boolean
}

/**
 * What went wrong: notFound: no such domain; noData: the domain has no such record; nullMx: it accepts no mail, or (SRV)
 * has no such service;
 * tryAgain: no server could say; failed: servers refuse the question; invalid: the records make no sense;
 * filtered: there are records, and somebody wants none of them (no resolver says so).
 */
export interface MissingAnswer {
  kind: 'notFound' | 'noData' | 'nullMx' | 'tryAgain' | 'failed' | 'invalid' | 'filtered'
  name: string
  reason: string
  /** notFound, noData: as in FoundAnswer, that there is nothing. Absent: nobody vouches for it. */
  isSecure?: boolean
}

export type DnsAnswer<T extends RecordType = RecordType> = FoundAnswer<T> | MissingAnswer

const HOST_ERRORS = {
  notFound: 'Host not found',
  noData: 'Host found but no data record of requested type',
  tryAgain: 'Host not found, try again',
  failed: 'Non-recoverable error',
} as const

/** The answer and its customary text for the four outcomes that a name server reports. */
export function missing(
  kind: keyof typeof HOST_ERRORS,
  name: string,
  type: RecordType,
): MissingAnswer {
  const text = `Name service error for name=${name} type=${type}: ${HOST_ERRORS[kind]}`
  return { kind, name, reason: `Host or domain name not found. ${text}` }
}

/** Records came, and none of them holds anything usable. */
export function invalidRecords(name: string, type: RecordType): MissingAnswer {
  const text = 'Malformed or unexpected name server reply'
  return {
    kind: 'invalid',
    name,
    reason: `Name service error for name=${name} type=${type}: ${text}`,
  }
}
