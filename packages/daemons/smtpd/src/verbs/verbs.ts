/**
 * verbs - the commands by their names
 */
import type { Verb } from '../verb.ts'
import { bdat } from './bdat.ts'
import { data } from './data.ts'
import { ehlo } from './ehlo.ts'
import { etrn } from './etrn.ts'
import { helo } from './helo.ts'
import { mail } from './mail.ts'
import { noop } from './noop.ts'
import { quit } from './quit.ts'
import { rcpt } from './rcpt.ts'
import { rset } from './rset.ts'
import { auth, starttls } from './unavailable.ts'
import { vrfy } from './vrfy.ts'
import { xclient } from './xclient.ts'
import { xforward } from './xforward.ts'

const VERBS: ReadonlyMap<string, Verb> = new Map(
  [
    ...[helo, ehlo, xclient, xforward, starttls, auth, mail, rcpt, data, bdat],
    ...[rset, noop, vrfy, etrn, quit],
  ].map((verb) => [verb.name, verb]),
)

/** RFC 5321 2.4: commands are not case-sensitive. */
export function findVerb(name: string): Verb | undefined {
  return VERBS.get(name.toUpperCase())
}
