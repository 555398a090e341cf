/**
 * engine-cache.test - which engines are opened, kept and opened again
 */
import { MainConfig } from '@posthorn/config/main-config'
import type { ClientEngine } from '@posthorn/tls/client-engine'
import t from 'tap'
import { EngineCache } from './engine-cache.ts'
import { readOwnSettings } from './own-settings.ts'

const config = MainConfig.of({ smtp_tls_security_level: 'may', smtp_tls_loglevel: '1' })
const own = readOwnSettings(config)
if (own === undefined) throw new Error('no settings')
const { params, init } = own

t.test('get() opens one engine for each set of settings, and keeps so many', async (t) => {
  const opened: number[] = []
  const engine: ClientEngine = {
    start: async () => Promise.reject(new Error('not called')),
    withLogLevel: () => engine,
  }
  const engines = new EngineCache(async (_, { verifyDepth }) => {
    opened.push(verifyDepth)
    return Promise.resolve(verifyDepth < 0 ? undefined : engine)
  }, 2)
  const get = async (verifyDepth: number): Promise<unknown> =>
    engines.get(params, { ...init, verifyDepth })
  t.same(await Promise.all([get(1), get(1), get(2)]), [engine, engine, engine])
  await get(1)
  t.same(opened, [1, 2])
  await get(3)
  await get(1)
  t.same(opened, [1, 2, 3], 'what is used is kept')
  await get(2)
  t.same(opened, [1, 2, 3, 2])
  t.equal(await get(-1), undefined)
  t.equal(await get(-1), undefined)
  t.same(opened, [1, 2, 3, 2, -1, -1], 'what failed is tried again')
})
