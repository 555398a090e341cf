/**
 * mtasts - mtasts(8) as the skeleton sees it
 *
 * The process stays: it refreshes policies while nobody asks. The cache is a journal below $data_directory.
 */
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import type { Service, ServiceContext, ServiceDefinition } from '@posthorn/daemon/service'
import { Resolver } from '@posthorn/dns/resolver'
import { fatal } from '@posthorn/log/log'
import { startSession } from '@posthorn/native/user'
import { CacheFile } from '@posthorn/tables/cache-file'
import { openTrustStore } from '@posthorn/tls/trust-store'
import { FailureMemory } from './failure-memory.ts'
import { FetchSlots } from './fetch-slots.ts'
import { MtastsService } from './mtasts-service.ts'
import { lenientLevel } from './policy-answer.ts'
import { PolicyCache } from './policy-cache.ts'
import { makeFetcher } from './policy-fetcher.ts'
import { PolicyFinder } from './policy-finder.ts'
import { Refresher } from './refresher.ts'

const POLICIES_LIMIT = 10_000
const FETCHES_LIMIT = 50
const WAITING_LIMIT = 1000
/** With the time for a fetch, and for DNS, it is less than a client's 100 seconds as a rule. */
const WAIT_MS = 30_000

const nowSeconds = (): number => Math.floor(Date.now() / 1000)

/** `now`: seconds since 1970, for tests. */
export function defineMtasts(now: () => number = nowSeconds): ServiceDefinition {
  let trusted: SecureContext | undefined
  return {
    program: 'mtasts',
    kind: 'multi',
    requires: ['alone'],
    usesLimit: 'off',
    idleLimit: 'off',
    async beforeJail({ config }) {
      trusted = await openTrusted(config)
      // `postfix stop` must not hit us while we write
      startSession()
    },
    start: async (context) => start(context, trusted ?? (await openTrusted(context.config)), now),
  }
}

export const mtasts = defineMtasts()

/** mta_sts_CAfile alone, or whom Node.js and the system trust. @throws {ConfigError} */
async function openTrusted(config: MainConfig): Promise<SecureContext> {
  const caFile = config.text('mta_sts_CAfile')
  const appendsDefaultCa = caFile === ''
  const texts = await openTrustStore({ caFile, caPath: '', appendsDefaultCa })
  if (texts === undefined) throw new ConfigError(`cannot use mta_sts_CAfile: ${caFile}`)
  const ca = appendsDefaultCa ? [...rootCertificates, ...texts] : texts
  // RFC 8461 3.3: TLS 1.2 or higher
  return createSecureContext({ ca, minVersion: 'TLSv1.2' })
}

function start(
  { args, config }: ServiceContext,
  context: SecureContext,
  now: () => number,
): Service {
  if (args[0] !== undefined) fatal(`unexpected command-line argument: ${args[0]}`)
  const path = config.text('mta_sts_cache_file')
  const file = new CacheFile({ path: path === '' ? undefined : path, entriesLimit: Infinity })
  file.load()
  const cache = new PolicyCache(file, { entriesLimit: POLICIES_LIMIT, now })
  const resolver = Resolver.fromConfig({ nameservers: config.text('dns_nameservers') })
  const finder = new PolicyFinder({
    cache,
    failures: new FailureMemory(now),
    slots: new FetchSlots({
      limit: FETCHES_LIMIT,
      waitingLimit: WAITING_LIMIT,
      waitMs: WAIT_MS,
    }),
    fetch: makeFetcher({
      resolver,
      families: families(config),
      context,
      port: config.integer('mta_sts_policy_port'),
      timeoutMs: config.seconds('mta_sts_fetch_timeout') * 1000,
    }),
    queryTxt: async (name) => resolver.query(name, 'TXT'),
    retrySeconds: config.seconds('mta_sts_retry_time'),
    now,
  })
  const refresher = new Refresher(cache, finder, now)
  refresher.start()
  return new MtastsService({
    find: async (domain) => finder.find(domain),
    level: lenientLevel(config.keyword('smtp_tls_security_level')),
    stop: async () => {
      refresher.stop()
      await cache.close()
    },
  })
}

function families(config: MainConfig): ReadonlySet<4 | 6> {
  const words = config.list('inet_protocols').map((word) => word.toLowerCase())
  const isAll = words.includes('all')
  const found = new Set<4 | 6>()
  if (isAll || words.includes('ipv4')) found.add(4)
  if (isAll || words.includes('ipv6')) found.add(6)
  return found
}
