/**
 * accepted-connection - a server engine with settings of a test, and what a client of node:tls comes to with it
 */
import { once } from 'node:events'
import { Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import type { TlsClientParams, TlsContext } from '@posthorn/wire/tlsproxy-protocol'
import {
  openServerEngine,
  type ServerEngine,
  type ServerEngineOptions,
  type TlsServerInit,
  type TlsServerStart,
} from '../server-engine.ts'
import { clientInit, clientParams } from './settings.ts'

/** As tlsproxy(8) is told. */
export const CLIENT = '[192.0.2.1]:4711'

export function serverInit(changes: Partial<TlsServerInit> = {}): TlsServerInit {
  return {
    ...clientInit(),
    logParameter: 'smtpd_tls_loglevel',
    cacheType: 'smtpd',
    protocols: '>=TLSv1',
    asksForCertificate: false,
    dhParameterFile: '',
    ffdheGroups: 'ffdhe2048 ffdhe3072',
    sniMaps: '',
    awaitsPeerClose: false,
    ...changes,
  }
}

export function serverStart(changes: Partial<TlsServerStart> = {}): TlsServerStart {
  return {
    peer: CLIENT,
    timeoutSeconds: 10,
    serverId: 'smtpd',
    cipherGrade: 'medium',
    cipherExclusions: '',
    requiresCertificate: false,
    ...changes,
  }
}

export interface ServerSetting {
  readonly params?: Partial<TlsClientParams>
  readonly init?: Partial<TlsServerInit>
  readonly options?: Partial<ServerEngineOptions>
}

export async function openEngine(setting: ServerSetting = {}): Promise<ServerEngine | undefined> {
  const { params, init, options } = setting
  const settings = { params: clientParams(params), init: serverInit(init) }
  return openServerEngine(settings, { config: MainConfig.of({}), ...options })
}

interface Teardown {
  teardown: (undo: () => unknown) => unknown
}

export interface Ends {
  /** What the engine gets. */
  readonly stream: ByteStream
  /** The other end. */
  readonly socket: Socket
}

export function ends(t: Teardown): Ends {
  const [near, far] = socketPair()
  const stream = new ByteStream(near, { timeoutMs: 10_000 })
  const socket = new Socket({ fd: far.release() })
  socket.on('error', () => undefined)
  t.teardown(() => {
    stream.close()
    socket.destroy()
  })
  return { stream, socket }
}

export interface Accepted {
  readonly stream: ByteStream
  readonly client: TLSSocket
  readonly context: TlsContext
}

/** A handshake that succeeds. */
export async function accept(
  t: Teardown,
  engine: ServerEngine,
  tls: ConnectionOptions = {},
  start: Partial<TlsServerStart> = {},
): Promise<Accepted> {
  const { stream, socket } = ends(t)
  const client = connectTls({ socket, rejectUnauthorized: false, ...tls })
  client.on('error', () => undefined)
  t.teardown(() => client.destroy())
  const secured = once(client, 'secureConnect')
  const context = await engine.accept(stream, serverStart(start))
  await secured
  return { stream, client, context }
}

/** What is logged while it runs. */
export async function logged(action: () => Promise<unknown>): Promise<string[]> {
  const log = captureLog()
  try {
    await action()
    return [...log.lines]
  } finally {
    log.restore()
  }
}
