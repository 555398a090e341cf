/**
 * run-mode - does what the command line asks for
 */
import { parseAddressList } from '@posthorn/address/address-list'
import { quoteAddress, unquoteAddress } from '@posthorn/address/quote-address'
import type { MainConfig } from '@posthorn/config/main-config'
import { log } from '@posthorn/log/log'
import { StringList } from '@posthorn/tables/match-list'
import { SENDOPT_FLAGS } from '@posthorn/wire/attr-groups'
import { CLEANUP_STATUS } from '@posthorn/wire/postdrop-protocol'
import { fail } from './fail.ts'
import { HeaderRecipients, HeaderTooLongError } from './header-recipients.ts'
import { readMessageLines, type LinePiece } from './message-lines.ts'
import { runProgram } from './run-program.ts'
import type { SendmailOptions } from './sendmail-options.ts'
import { findSubmitter, type Submitter } from './submitter.ts'
import { NoRecipientsError, submitMessage, TRACE, type Envelope } from './submit-message.ts'

/** As many as Postfix took while this could be configured. */
const HEADER_RECIPIENT_LIMIT = 10_240

export async function runMode(config: MainConfig, options: SendmailOptions): Promise<void> {
  const { mode } = options
  const commands = config.text('command_directory')
  switch (mode.kind) {
    case 'submit':
    case 'verify':
      await submit(config, options)
      return
    case 'nothing':
      return
    case 'listQueue':
      return runProgram(config, `${commands}/postqueue`, ['-p'])
    case 'flushQueue':
      return runProgram(config, `${commands}/postqueue`, ['-f'])
    case 'flushSite':
      return runProgram(config, `${commands}/postqueue`, ['-s', mode.site])
    case 'flushMessage':
      return runProgram(config, `${commands}/postqueue`, ['-i', mode.id])
    case 'aliases':
      return rebuildAliases(config, options.aliases)
    case 'daemon':
      return runProgram(config, `${commands}/postfix`, ['start'])
    case 'smtp':
      return runProgram(config, `${config.text('daemon_directory')}/smtpd`, ['-S'])
  }
}

async function rebuildAliases(config: MainConfig, other: string | undefined): Promise<void> {
  const databases = other === undefined ? config.list('alias_database') : [other]
  if (databases.length === 0) return
  await runProgram(config, `${config.text('command_directory')}/postalias`, ['--', ...databases])
}

/** postdrop(1) asks the same, and it is its answer that counts; here it is worded for people. */
async function requirePermission(config: MainConfig, { name, uid }: Submitter): Promise<void> {
  const parameter = 'authorized_submit_users'
  const users = StringList.open(parameter, config.text(parameter), { config })
  if (await users.matches(name)) return
  fail(`User ${name}(${uid}) is not allowed to submit mail`)
}

async function submit(config: MainConfig, options: SendmailOptions): Promise<void> {
  const uid = process.getuid?.() ?? 0
  const submitter = findSubmitter() ?? fail(`unable to find name for user ID ${uid}`)
  await requirePermission(config, submitter)
  for (const warning of options.warnings) log.warning(warning)
  if (options.requiresTls && !config.boolean('requiretls_enable')) {
    fail('-O requiretls=yes cannot be had: requiretls_enable = no')
  }
  const envelope = buildEnvelope(config, options, submitter)
  const who = `${envelope.sender}(${uid})`
  if (envelope.recipients.length === 0 && !options.takesHeaderRecipients) {
    fail(`${who}: Recipient addresses must be specified on the command line or via the -t option`)
  }
  if (envelope.verp !== undefined && envelope.sender === '') {
    fail(`${who}: -V option requires non-null sender address`)
  }
  if (envelope.traceFlags !== 0) {
    process.stdout.write(
      `Mail Delivery Status Report will be mailed to <${quoteAddress(envelope.sender)}>.\n`,
    )
  }
  try {
    const { status, reason } = await submitMessage(
      config,
      envelope,
      {
        lineLimit: config.integer('line_length_limit'),
        headers: options.takesHeaderRecipients ? headerRecipients(config) : undefined,
        lines:
          options.mode.kind === 'verify'
            ? probeLines(envelope)
            : readMessageLines(process.stdin, lineRules(config, options)),
      },
      options.verbosity,
    )
    if (status !== 0) fail(`${who}: ${reason === '' ? statusText(status) : reason}`)
  } catch (error) {
    if (error instanceof NoRecipientsError) fail(`${who}: ${error.message}`)
    if (error instanceof HeaderTooLongError) {
      fail(`${who}: unable to extract recipients: ${error.message}`)
    }
    fail(`${who}: unable to submit: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function buildEnvelope(
  config: MainConfig,
  options: SendmailOptions,
  submitter: Submitter,
): Envelope {
  const isVerify = options.mode.kind === 'verify'
  return {
    sender: options.sender === undefined ? submitter.name : parseSender(options.sender),
    fullName: options.fullName ?? submitter.fullName,
    recipients: options.recipients.flatMap(parseRecipients),
    rewriteContext: options.isGateway ? 'remote' : 'local',
    encoding: options.encoding,
    envelopeId: options.envelopeId,
    returnFlags: options.returnFlags,
    notifyFlags: options.notifyFlags,
    verp: verpDelimiters(config, options.verp),
    traceFlags: isVerify ? TRACE.verify : options.verbosity === 1 ? TRACE.report : 0,
    sendOptions: options.requiresTls ? SENDOPT_FLAGS.requireTls : 0,
  }
}

function parseSender(text: string): string {
  const addresses = addressesOf(text)
  if (addresses.length > 1) log.warning(`-f option specified malformed sender: ${text}`)
  return addresses[0] ?? ''
}

/** An operand without any address is an empty address: the mail system decides who reads mail for nobody. */
function parseRecipients(text: string): string[] {
  const addresses = addressesOf(text)
  return addresses.length === 0 ? [''] : addresses
}

function addressesOf(text: string): string[] {
  return parseAddressList(text)
    .filter((node) => node.kind === 'address' && node.text !== '')
    .map((node) => unquoteAddress(node.text))
}

function verpDelimiters(config: MainConfig, given: string | undefined): string | undefined {
  if (given === undefined) return undefined
  const delimiters = given === '' ? config.text('default_verp_delimiters') : given
  const filter = config.text('verp_delimiter_filter')
  if (delimiters.length === 2 && Array.from(delimiters).every((char) => filter.includes(char))) {
    return delimiters
  }
  fail(`-V requires two characters from ${filter}`)
}

function headerRecipients(config: MainConfig): HeaderRecipients {
  return new HeaderRecipients({
    sizeLimit: config.integer('header_size_limit'),
    tokenLimit: config.integer('header_address_token_limit'),
    recipientLimit: HEADER_RECIPIENT_LIMIT,
  })
}

function lineRules(
  config: MainConfig,
  options: SendmailOptions,
): Parameters<typeof readMessageLines>[1] {
  const text = config.text('sendmail_fix_line_endings')
  return {
    lineLimit: config.integer('line_length_limit'),
    ignoresDots: options.ignoresDots,
    lineEndings: text === 'strict' || text === 'never' ? text : 'always',
  }
}

function* probeLines(envelope: Envelope): Generator<LinePiece, void, undefined> {
  yield { text: `From: ${quoteAddress(envelope.sender)}`, endsLine: true }
  yield { text: 'Subject: probe', endsLine: true }
  yield { text: 'To:', endsLine: false }
  for (const [at, recipient] of envelope.recipients.entries()) {
    const comma = at + 1 < envelope.recipients.length ? ',' : ''
    yield { text: `\t${quoteAddress(recipient)}${comma}`, endsLine: true }
  }
}

function statusText(status: number): string {
  if ((status & CLEANUP_STATUS.defer) !== 0) return 'service unavailable'
  if ((status & CLEANUP_STATUS.bad) !== 0) return 'internal protocol error'
  if ((status & CLEANUP_STATUS.recipients) !== 0) return 'no recipients specified'
  if ((status & CLEANUP_STATUS.size) !== 0) return 'message file too big'
  if ((status & CLEANUP_STATUS.noPermission) !== 0) return 'service denied'
  return 'queue file write error'
}
