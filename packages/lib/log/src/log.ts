/**
 * log - the log of this process
 *
 * `openLog` chooses the sink: postlogd(8) when maillog_file is set, else syslog; commands add standard error.
 * Lines are text that may come from a peer: they are cut and made printable here, nowhere else. The lines of
 * a few milliseconds go out together, a warning and worse with the turn of the event loop; a line costs its
 * caller a string concatenation.
 * `fatal` and `panic` end the process. A daemon first pauses for a second: a process that cannot start must
 * not make master(8) fork in a tight loop.
 * Source: Postfix 3.7, form of log lines.
 */
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import { FileSink } from './file-sink.ts'
import { maillogFile } from './maillog-file.ts'
import { PostlogSink, type PostlogOptions } from './postlog-sink.ts'
import { printable } from './printable.ts'
import { StderrSink } from './stderr-sink.ts'
import { findFacility, SyslogSink } from './syslog-sink.ts'
import type { LogSink, Severity } from './log-sink.ts'

/** Octets of text in a line; the rest is cut. */
const TEXT_LIMIT = 2000
/** Errors that one process may report before it gives up. */
const ERROR_LIMIT = 13
const FATAL_PAUSE_MS = 1000
const RETRY_MS = 5
/** How long an ordinary line may wait for others: a system call for each would cost 40 us (docs/performance.md 10). */
const LINGER_MS = 5

export interface LogOptions {
  /** 'smtpd': the tag becomes `SYSLOG_NAME/smtpd`. With a slash it is the whole tag. */
  program: string
  /** The whole tag, also on standard error: postlog -t. */
  tag?: string
  /** Without it (early in start-up) tag and sink come from the environment that master(8) gave. */
  config?: MainConfig
  /** Lines also go to standard error: commands, and daemons with -V. */
  stderr?: boolean
  /** A daemon pauses before a fatal exit. */
  isDaemon?: boolean
  /** While postlogd(8) is away, this process appends its lines to maillog_file; default: unless it is a daemon. */
  fallsBack?: boolean
  /** Nobody will read postlogd's socket any more: lines are appended to maillog_file by this process. */
  writesFile?: boolean
  /** log.debug() lines are shown. */
  isVerbose?: boolean
}

const state = {
  sinks: [] as LogSink[],
  isScheduled: false,
  isDaemon: false,
  isVerbose: false,
  hasExitHook: false,
  errorCount: 0,
}

function tagOf(options: LogOptions): string {
  if (options.tag !== undefined) return options.tag
  if (options.program.includes('/')) return options.program
  const early = process.env['MAIL_LOGTAG']
  const name =
    options.config?.text('syslog_name') ?? (early === undefined || early === '' ? 'postfix' : early)
  return `${name}/${options.program}`
}

/** Log lines carry the host's name without its domain. */
function shortName(hostname: string): string {
  return hostname.replace(/\..*$/, '')
}

function mainSink(options: LogOptions): LogSink {
  const tag = `${tagOf(options)}[${process.pid}]`
  const config = options.config
  const file = config === undefined ? undefined : maillogFile(config)
  const inherited = process.env['POSTLOG_SERVICE'] ?? ''
  if (config !== undefined && file !== undefined && file !== '') {
    const socketPath = `${config.text('queue_directory')}/public/${config.text('postlog_service_name')}`
    // children can log before they have read main.cf
    process.env['POSTLOG_SERVICE'] = socketPath
    process.env['POSTLOG_HOSTNAME'] = config.text('myhostname')
    const hostname = shortName(config.text('myhostname'))
    if (options.writesFile === true) return new FileSink(file, hostname, tag)
    const fallbackFile = (options.fallsBack ?? options.isDaemon !== true) ? file : undefined
    return postlogSink({ socketPath, hostname, tag, fallbackFile })
  }
  if (config === undefined && inherited !== '') {
    const hostname = shortName(process.env['POSTLOG_HOSTNAME'] ?? 'unknown')
    return postlogSink({ socketPath: inherited, hostname, tag, fallbackFile: undefined })
  }
  delete process.env['POSTLOG_SERVICE']
  delete process.env['POSTLOG_HOSTNAME']
  const facilityName = config?.text('syslog_facility') ?? 'mail'
  const facility = findFacility(facilityName)
  if (facility === undefined) {
    throw new ConfigError(`unknown syslog_facility value: ${facilityName}`)
  }
  return new SyslogSink({ facility, tag })
}

/** The one that is there, when it is the same: what waits in it for postlogd(8) has its turn after a reload as well. */
function postlogSink(options: PostlogOptions): PostlogSink {
  const isSame = (sink: LogSink): sink is PostlogSink =>
    sink instanceof PostlogSink && sink.serves(options)
  return state.sinks.find(isSame) ?? new PostlogSink(options)
}

/** A person who runs a command knows which system it belongs to; the lines of daemons stand among others. */
function stderrTag(options: LogOptions): string {
  if (options.isDaemon === true) return tagOf(options)
  return options.tag ?? options.program.replace(/^.*\//, '')
}

/**
 * Opens or, with a configuration, reopens the log. Lines logged so far go out first, if it is another one. Call it before a
 * chroot.
 * @throws {ConfigError} when maillog_file or syslog_facility is not allowed
 */
export function openLog(options: LogOptions): void {
  const sinks = [mainSink(options)]
  if (options.stderr === true) sinks.push(new StderrSink(stderrTag(options)))
  for (const sink of useSinks(sinks)) if (!sinks.includes(sink)) sink.close()
  state.isDaemon = options.isDaemon ?? false
  state.isVerbose = options.isVerbose ?? false
}

/** Puts other sinks in place and returns those that were there: for captureLog() and odd programs. */
export function useSinks(sinks: LogSink[]): LogSink[] {
  const before = state.sinks
  flushWaiting(before.filter((sink) => !sinks.includes(sink)))
  state.sinks = sinks
  if (!state.hasExitHook) {
    state.hasExitHook = true
    process.on('exit', () => {
      flushLog()
    })
  }
  return before
}

function flushSinks(sinks: readonly LogSink[]): boolean {
  let isDone = true
  for (const sink of sinks) {
    if (!sink.flush()) isDone = false
  }
  return isDone
}

function flushTurn(): void {
  if (flushSinks(state.sinks)) state.isScheduled = false
  else setTimeout(flushTurn, RETRY_MS)
}

const PREFIXES: Readonly<Record<Severity, string>> = {
  debug: '',
  info: '',
  warning: 'warning: ',
  error: 'error: ',
  fatal: 'fatal: ',
  panic: 'panic: ',
}

/** A line of any severity that has no other effect: what postlog(1) logs for somebody else. */
export function logAt(severity: Severity, text: string): void {
  if (state.sinks.length === 0) openLog({ program: 'unknown', stderr: true })
  const cut = text.length > TEXT_LIMIT ? text.slice(0, TEXT_LIMIT) : text
  const line = PREFIXES[severity] + printable(cut)
  for (const sink of state.sinks) sink.write(severity, line)
  if (severity !== 'info' && severity !== 'debug') {
    setImmediate(flushTurn)
  } else if (!state.isScheduled) {
    state.isScheduled = true
    setTimeout(flushTurn, LINGER_MS).unref() // at the end of the process the exit hook flushes
  }
}

export const log = {
  info(text: string): void {
    logAt('info', text)
  },
  warning(text: string): void {
    logAt('warning', text)
  },
  /** After 13 of them in one process it ends: something is wrong that will not heal. */
  error(text: string): void {
    logAt('error', text)
    if (++state.errorCount === ERROR_LIMIT) fatal('too many errors - program terminated')
  },
  /** Shown only with -v. */
  debug(text: string): void {
    if (state.isVerbose) logAt('debug', text)
  },
}

const clock = new Int32Array(new SharedArrayBuffer(4))

/** Holds the whole process: only for one that is about to end. */
function pauseProcess(ms: number): void {
  Atomics.wait(clock, 0, 0, ms)
}

/** Sends everything that is held now; waits up to a quarter of a second for the reader. */
export function flushLog(): void {
  flushWaiting(state.sinks)
}

function flushWaiting(sinks: readonly LogSink[]): void {
  for (let attempt = 0; attempt < 50 && !flushSinks(sinks); attempt++) pauseProcess(RETRY_MS)
}

function die(severity: 'fatal' | 'panic', text: string): never {
  logAt(severity, text)
  flushLog()
  if (state.isDaemon) pauseProcess(FATAL_PAUSE_MS)
  // eslint-disable-next-line n/no-process-exit -- the one place where a process ends by a fault
  process.exit(1)
}

/** The process cannot go on: one `fatal:` line, exit status 1. */
export function fatal(text: string): never {
  return die('fatal', text)
}

/** We are wrong: one `panic:` line, exit status 1. */
export function panic(text: string): never {
  return die('panic', text)
}
