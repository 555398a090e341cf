#!/usr/bin/env node
/**
 * postconf(1) - show and change the configuration
 *
 * Modes: parameters of main.cf (plain, -d, -n), entries, fields and parameters of master.cf (-M, -F, -P),
 * lookup table types (-m), mailbox locks (-l). Diagnostics go to standard error; 1 means that nothing was done.
 * Source: Postfix 3.7 postconf(1).
 */
import { basename } from 'node:path'
import { postconf } from './postconf.ts'

const program = basename(process.argv[1] ?? 'postconf').replace(/\.[jt]s$/, '')

/** As octets, like the files that they are compared with. */
const args = process.argv.slice(2).map((text) => Buffer.from(text).toString('latin1'))

postconf(args, {
  print: (text) => process.stdout.write(text, 'latin1'),
  complain: (text) => process.stderr.write(`${program}: ${text}\n`, 'latin1'),
}).then(
  (status) => {
    process.exitCode = status
  },
  (error: unknown) => {
    process.stderr.write(`${program}: panic: ${String(error)}\n`)
    process.exitCode = 1
  },
)
