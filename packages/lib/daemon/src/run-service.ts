/**
 * run-service - the skeleton on which every daemon runs under master(8)
 *
 * One function owns the process from its first line to its exit: options, log, main.cf, requirements,
 * inherited descriptors, privileges, then the loop that fits the kind of service. The order matters: the log
 * is opened and the select lock taken before the jail closes, and nothing is read from a client before it has.
 * Ends the process: `fatal` when it cannot start, `panic` on an error that nobody handled, status 0 otherwise.
 * POSTHORN_SHARE=n in the environment: our master asks a `single` service to serve n clients at once.
 * Source: Postfix 3.7.
 */
import { fstatSync } from 'node:fs'
import { ConfigError } from '@posthorn/config/config-error'
import { MainConfig } from '@posthorn/config/main-config'
import { fatal, flushLog, log, openLog, panic } from '@posthorn/log/log'
import { compileSooner } from '@posthorn/native/compiler'
import { careForHeap } from '@posthorn/native/heap-care'
import { Descriptor } from '@posthorn/native/descriptor'
import { startWatchdog } from '@posthorn/native/watchdog'
import { ClientServer } from './client-server.ts'
import { OptionError, parseDaemonOptions, type DaemonOptions } from './daemon-options.ts'
import { runDebugger } from './debugger.ts'
import { startDatagramServer } from './datagram-server.ts'
import { errorText } from './error-text.ts'
import { FlowPipe, unlimitedFlow } from './flow-control.ts'
import { enterJail } from './jail.ts'
import { Lifecycle } from './lifecycle.ts'
import { noSelectLock, openSelectLock, type SelectLock } from './select-lock.ts'
import { createServiceContext } from './service-context.ts'
import { StatusChannel } from './status-channel.ts'
import { TriggerServer } from './trigger-server.ts'
import type { Service, ServiceContext, ServiceDefinition, ServiceKind } from './service.ts'

export type { Client, Service, ServiceContext, ServiceDefinition } from './service.ts'

const STATUS_DESCRIPTOR = 5
const FIRST_LISTENER = 6
/** How long persistent clients may keep a multi service that wants to leave. */
const MULTI_GRACE_MS = 1000

const TRANSPORTS = {
  single: ['inet', 'unix', 'pass'],
  multi: ['inet', 'unix', 'pass'],
  event: ['inet', 'unix', 'pass'],
  trigger: ['unix', 'fifo'],
  datagram: ['unix-dgram'],
} as const satisfies Record<ServiceKind, readonly string[]>

/** Owns the process from here; never returns to do anything else. */
export function runService(definition: ServiceDefinition): void {
  process.on('uncaughtException', (error) => {
    panic(`${definition.program}: ${error.stack ?? errorText(error)}`)
  })
  openLog({ program: definition.program, isDaemon: true })
  start(definition, process.argv.slice(2)).catch((error: unknown) => {
    if (error instanceof ConfigError) for (const warning of error.warnings) log.warning(warning)
    if (error instanceof OptionError && error.isOnStderr) {
      openLog({ program: definition.program, isDaemon: true, stderr: true })
    }
    fatal(errorText(error))
  })
}

function shareOf(kind: ServiceKind): number | undefined {
  const text = process.env['POSTHORN_SHARE'] ?? ''
  return kind === 'single' && /^[1-9]\d{0,5}$/.test(text) ? Number(text) : undefined
}

/** GENERATION is octal; absent means 0. */
function generationOf(): number {
  const text = process.env['GENERATION'] ?? '0'
  if (!/^[0-7]+$/.test(text)) throw new ConfigError(`bad generation: ${text}`)
  return Number.parseInt(text, 8)
}

function checkRequirements(definition: ServiceDefinition, options: DaemonOptions): void {
  const name = options.serviceName ?? definition.program
  for (const requirement of definition.requires ?? []) {
    if (requirement === 'alone' && !options.isAlone) {
      throw new ConfigError(`service ${name} requires a process limit of 1`)
    }
    if (requirement === 'unlimited' && !options.isUnlimited) {
      throw new ConfigError(`service ${name} requires a process limit of 0`)
    }
    if (requirement === 'privileged' && options.isUnprivileged) {
      throw new ConfigError(`service ${name} requires privileged operation`)
    }
  }
}

const WATCHDOG_SECONDS = 1000

/** A debugger that stops the process is no fault of the process. */
function guard(definition: ServiceDefinition, options: DaemonOptions, config: MainConfig): void {
  if (options.isDebugged) return
  const isQuick = definition.kind !== 'single' && definition.kind !== 'multi'
  const usual = isQuick ? WATCHDOG_SECONDS : config.seconds('daemon_timeout')
  startWatchdog(definition.watchdogSeconds?.(config) ?? usual)
}

function checkTransport(definition: ServiceDefinition, options: DaemonOptions): string {
  if (options.transport === undefined) throw new ConfigError('no transport type specified')
  const supported: readonly string[] = TRANSPORTS[definition.kind]
  if (!supported.includes(options.transport)) {
    throw new ConfigError(`unsupported transport type: ${options.transport}`)
  }
  return options.transport
}

function makeLifecycle(
  definition: ServiceDefinition,
  options: DaemonOptions,
  config: MainConfig,
  slots: number,
  service: Service,
): Lifecycle {
  const idleSeconds = Math.max(
    config.seconds('max_idle'),
    definition.leastIdleSeconds?.(config) ?? 0,
  )
  const uses = definition.usesLimit === 'off' ? 0 : config.integer('max_use')
  const isShared = Number.isFinite(slots) && slots > 1
  return new Lifecycle(
    {
      uses: isShared ? uses * slots * config.integer('service_worker_use_factor') : uses,
      idleMs: definition.idleLimit === 'off' ? 0 : idleSeconds * 1000,
      retireMs: options.retireSeconds * 1000,
      graceMs: definition.kind === 'multi' ? MULTI_GRACE_MS : 0,
    },
    async () => service.stop?.(),
  )
}

/** Linux: character device 1:3. */
const NULL_DEVICE = 0x103

/** Under master standard input is /dev/null, and node:tty (2 to 4 ms of start-up) is not asked. */
async function isOnTerminal(): Promise<boolean> {
  // eslint-disable-next-line n/no-sync -- once, at start
  const input = fstatSync(0)
  if (!input.isCharacterDevice() || input.rdev === NULL_DEVICE) return false
  const { isatty } = await import('node:tty')
  return isatty(0)
}

async function start(definition: ServiceDefinition, argv: readonly string[]): Promise<void> {
  const options = parseDaemonOptions(argv, definition.kind)
  const serviceName = options.serviceName ?? definition.program
  if (!options.isOnTerminal && !options.isOneShot && (await isOnTerminal())) {
    throw new ConfigError('do not run this command by hand')
  }
  const config = MainConfig.load({
    program: definition.program,
    service: serviceName,
    overrides: options.overrides,
  })
  process.chdir(config.text('queue_directory'))
  const isVerbose = options.verbosity > 0 || process.env['MAIL_VERBOSE'] !== undefined
  openLog({
    program: definition.program,
    config,
    isDaemon: true,
    isVerbose,
    stderr: options.isOnStderr,
  })
  for (const warning of config.warnings) log.warning(warning)
  log.debug('daemon started')
  if (options.isDebugged || process.env['MAIL_DEBUG'] !== undefined) await runDebugger(config)
  if (options.isOneShot) {
    await runOnce(definition, options, config, serviceName)
    return
  }
  compileSooner()
  careForHeap()
  const transport = checkTransport(definition, options)
  checkRequirements(definition, options)

  const share = shareOf(definition.kind)
  const isMany = definition.kind === 'multi' || definition.kind === 'event'
  const slots = isMany ? Infinity : (share ?? 1)
  const status = new StatusChannel(Descriptor.adopt(STATUS_DESCRIPTOR), generationOf())
  const needsLock = !options.isAlone && share === undefined && !isMany
  const selectLock = needsLock ? openSelectLock(transport, serviceName) : noSelectLock
  const listeners = Array.from({ length: options.listeners }, (_, index) =>
    Descriptor.adopt(FIRST_LISTENER + index),
  )

  let lifecycle: Lifecycle | undefined = undefined
  let earlyReason: string | undefined
  let isAsked = false
  const leave = (reason: string): void => {
    if (lifecycle === undefined) earlyReason ??= reason
    else lifecycle.leave(reason)
  }
  const context = createServiceContext(config, {
    serviceName,
    args: options.args,
    flowControl: FlowPipe.inherit(),
    isAlone: options.isAlone,
    concurrency: slots,
    maxProcesses: options.isAlone ? 1 : options.isUnlimited ? 0 : undefined,
    isVerbose,
    exitWhenIdle: (reason) => {
      if (isAsked) return
      isAsked = true
      log.info(reason)
      leave(reason)
    },
  })
  const service = await startInJail(definition, context, options)
  guard(definition, options, config)
  lifecycle = makeLifecycle(definition, options, config, slots, service)
  status.watch(() => {
    leave('master disconnect -- exiting')
  })
  if (share !== undefined) status.tell('shares')
  listen({
    definition,
    service,
    config,
    transport,
    listeners,
    slots,
    lifecycle,
    status,
    selectLock,
    isAlone: options.isAlone,
  })
  if (earlyReason !== undefined) leave(earlyReason)
}

async function startInJail(
  definition: ServiceDefinition,
  context: ServiceContext,
  options: DaemonOptions,
): Promise<Service> {
  await definition.beforeJail?.(context)
  enterJail(context.config, options)
  return definition.start(context)
}

interface Listening {
  definition: ServiceDefinition
  service: Service
  config: MainConfig
  transport: string
  listeners: readonly Descriptor[]
  slots: number
  lifecycle: Lifecycle
  status: StatusChannel
  selectLock: SelectLock
  isAlone: boolean
}

function listen(listening: Listening): void {
  const { definition, config, transport } = listening
  switch (definition.kind) {
    case 'single':
    case 'multi':
    case 'event':
      new ClientServer({
        ...listening,
        transport: transport === 'inet' || transport === 'pass' ? transport : 'unix',
        sharesClients: shareOf(definition.kind) !== undefined,
        timeoutMs: config.seconds('ipc_timeout') * 1000,
        // Postfix's watchdog ends the process; here it ends the conversation that takes so long
        conversationMs: definition.kind === 'single' ? config.seconds('daemon_timeout') * 1000 : 0,
      }).start()
      break
    case 'trigger':
      new TriggerServer({ ...listening, transport: transport === 'fifo' ? 'fifo' : 'unix' }).start()
      break
    case 'datagram':
      startDatagramServer(listening)
      break
  }
}

/** -S: one conversation on standard input and output, with whatever privileges the caller has. */
async function runOnce(
  definition: ServiceDefinition,
  options: DaemonOptions,
  config: MainConfig,
  serviceName: string,
): Promise<void> {
  const context = createServiceContext(config, {
    serviceName,
    args: options.args,
    flowControl: unlimitedFlow,
    isVerbose: options.verbosity > 0,
  })
  const service = await startInJail(definition, context, options)
  const { serveOnce } = await import('./one-shot.ts') // it needs node:net, which others should not pay for
  await serveOnce(service, config.seconds('ipc_timeout') * 1000)
  await service.stop?.()
  flushLog()
  // eslint-disable-next-line n/no-process-exit -- the conversation is over
  process.exit(0)
}
