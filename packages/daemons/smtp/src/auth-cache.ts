/**
 * auth-cache - smtp_sasl_auth_cache_name: credentials that a server has refused are not shown to it again
 *
 *     HOST;USER    TIME;BASE64(SHA1(PASSWORD));DSN;REPLY
 *
 * An entry holds until smtp_sasl_auth_cache_time is over or the password is another one; then it is removed. The table is
 * shared by all delivery agents, so it is reached through proxymap(8). One that cannot be asked costs a try, no more.
 * Source: Postfix 3.7 postconf(5).
 */
import { createHash } from 'node:crypto'
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import type { WritableTable } from '@posthorn/tables/lookup-table'
import { openProxyWriter } from '@posthorn/tables/proxy-table'
import type { Protocol } from './client-options.ts'
import type { Reply } from './reply-parser.ts'
import type { Login } from './sasl-credentials.ts'

/** What the server said. */
export type Refusal = Pick<Reply, 'code' | 'dsn' | 'text'>

export class AuthCache {
  readonly #table: WritableTable
  readonly #ttlSeconds: number

  constructor(table: WritableTable, ttlSeconds: number) {
    this.#table = table
    this.#ttlSeconds = ttlSeconds
  }

  /** Undefined: there is none. @throws {ConfigError} a table that would be this process's own */
  static open(config: MainConfig, protocol: Protocol): AuthCache | undefined {
    const parameter = `${protocol}_sasl_auth_cache_name` as const
    const name = config.text(parameter)
    if (name === '') return undefined
    if (!name.startsWith('proxy:')) {
      throw new ConfigError(`SASL authentication cache name "${name}" must start with "proxy:"`)
    }
    const ttlSeconds = config.seconds(`${protocol}_sasl_auth_cache_time`)
    return new AuthCache(openProxyWriter(name, config), ttlSeconds)
  }

  async find(host: string, login: Login): Promise<Refusal | undefined> {
    const key = cacheKey(host, login.user)
    const found = await this.#table.find(key)
    if (found.kind !== 'found') return undefined
    // a reply of several lines: the first one says enough
    const fields = /^(\d+);([^;]*);([245]\.\d+\.\d+);([^\n]*)/.exec(found.value)
    const [, time = '', hash, dsn, text] = fields ?? []
    const isValid =
      Number(time) + this.#ttlSeconds >= nowSeconds() && hash === passwordHash(login.password)
    if (isValid && dsn !== undefined && text !== undefined) return { code: 535, dsn, text }
    await this.#table.remove(key)
    return undefined
  }

  async save(host: string, login: Login, { dsn, text }: Refusal): Promise<void> {
    const value = `${nowSeconds()};${passwordHash(login.password)};${dsn};${text}`
    await this.#table.update(cacheKey(host, login.user), value)
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}

function cacheKey(host: string, user: string): string {
  return `${host};${user}`
}

function passwordHash(password: string): string {
  return createHash('sha1').update(password, 'latin1').digest('base64')
}
