/**
 * sts-record - the TXT record that says that a domain has a policy, and which
 *
 *     _mta-sts.example.com. IN TXT "v=STSv1; id=20160831085700Z;"
 *
 * Records that begin otherwise are somebody else's. Without exactly one that is well-formed the domain has no policy. Unknown
 * fields are passed over, and so is a second id.
 * Source: RFC 8461 3.1.
 */

/** sts-version: the rest of a record that does not begin so does not matter. */
const VERSION = /^v=STSv1[ \t]*;/
const DELIMITER = /[ \t]*;[ \t]*/
/** sts-id; sts-extension: values are printable octets without `;` and `=`. */
const ID = /^id=([A-Za-z0-9]{1,32})$/
const EXTENSION = /^(?!id=)[A-Za-z0-9][A-Za-z0-9_.-]{0,31}=[\x21-\x3a\x3c\x3e-\x7e]+$/

/** The id of the policy, undefined: there is none. `texts`: all TXT records of the name, as octets. */
export function findPolicyId(texts: readonly string[]): string | undefined {
  const records = texts.filter((text) => VERSION.test(text))
  const [record] = records
  if (record === undefined || records.length !== 1) return undefined
  const fields = record.split(DELIMITER).slice(1)
  // sts-text-record may end in a delimiter
  if (fields.at(-1) === '') fields.pop()
  if (!fields.every((field) => ID.test(field) || EXTENSION.test(field))) return undefined
  return fields.map((field) => ID.exec(field)?.[1]).find((id) => id !== undefined)
}
