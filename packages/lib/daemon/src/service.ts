/**
 * service - what a daemon tells the skeleton about itself, and what it gets in return
 *
 * A daemon is a ServiceDefinition: its name, its kind, what it insists on, and `start`, which returns the
 * functions that serve. Everything else (options, log, privileges, accepting, idling, leaving) is the
 * skeleton's. Kinds as in Postfix 3.7: single serves one client at a time (many when our master says so),
 * multi and event serve many, trigger reads one request of a few octets, datagram one datagram.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { SocketAddress } from '@posthorn/native/socket'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import type { FlowControl } from './flow-control.ts'

export type ServiceKind = 'single' | 'multi' | 'event' | 'trigger' | 'datagram'

/** 'alone': process limit 1; 'unlimited': process limit 0; 'privileged': not started with -u. */
export type ServiceRequirement = 'alone' | 'unlimited' | 'privileged'

export interface ServiceDefinition {
  /** As in the log tag: 'smtpd'. */
  program: string
  kind: ServiceKind
  requires?: readonly ServiceRequirement[]
  /** 'off': max_use does not apply. */
  usesLimit?: 'default' | 'off'
  /** 'off': max_idle does not apply. */
  idleLimit?: 'default' | 'off'
  /** max_idle is at least this: anvil(8) must outlive the interval it counts in. */
  leastIdleSeconds?: (config: MainConfig) => number
  /**
   * The process dies by SIGALRM when its event loop hangs for that long. Default: daemon_timeout for single and multi, 1000
   * seconds for the others.
   */
  watchdogSeconds?: (config: MainConfig) => number
  /** Still with master's privileges and outside the jail: open tables and files here. */
  beforeJail?: (context: ServiceContext) => void | Promise<void>
  /** After privileges were dropped. */
  start: (context: ServiceContext) => Service | Promise<Service>
}

export interface Service {
  /** single, multi, event: until the conversation is over. The skeleton closes the stream afterwards. */
  serve?: (stream: ByteStream, client: Client) => Promise<void>
  /** trigger: what a client wrote, at most 1024 octets, perhaps nothing. */
  trigger?: (octets: string) => void | Promise<void>
  /** datagram: one of them, at most 4096 octets. */
  datagram?: (octets: string) => void
  /** Before a voluntary exit: statistics, last words. */
  stop?: () => void | Promise<void>
}

/** The other end of a conversation. */
export interface Client {
  readonly peer: SocketAddress
  readonly local: SocketAddress
  /** 'pass': an SMTP connection that postscreen(8) has already screened. */
  readonly arrival: 'accepted' | 'passed' | 'standardInput'
  /** Aborted when the conversation is over, however it ended. */
  readonly signal: AbortSignal
  /**
   * Asks that the connection stays open after this conversation, for another one: serve() is then called anew, when the
   * client has something to say. False: it will be closed. See ChannelPool for the client's side.
   */
  stay: () => boolean
}

export interface ServiceContext {
  readonly config: MainConfig
  /** First column of master.cf: 'smtp', '127.0.0.1:10025'. */
  readonly serviceName: string
  /** What follows the options of the skeleton on the command line. */
  readonly args: readonly string[]
  readonly flowControl: FlowControl
  /** Process limit 1: nobody else works on this service's data. */
  readonly isAlone: boolean
  /** Clients this process serves at once. */
  readonly concurrency: number
  /** 1 with -l, 0 (no limit) with -z, else undefined: master does not say. */
  readonly maxProcesses: number | undefined
  /** -v: details for a person who looks for a fault. */
  readonly isVerbose: boolean
  /**
   * Logs the reason, stops accepting, finishes the clients, leaves; master starts a fresh process when one is
   * wanted. multi: connections that clients keep open get a second to finish what they are at.
   */
  exitWhenIdle: (reason: string) => void
}
