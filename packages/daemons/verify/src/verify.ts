/**
 * verify - verify(8) as the skeleton sees it
 *
 * The cache lies beside the table that address_verify_map names, with the suffix `.posthorn`; without that parameter it
 * lives in memory, and the process stays as long as it can.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { Service, ServiceContext, ServiceDefinition } from '@posthorn/daemon/service'
import { fatal, log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'
import { startSession } from '@posthorn/native/user'
import { CacheFile, cachePath } from '@posthorn/tables/cache-file'
import { RewriteClient } from '@posthorn/wire/rewrite-protocol'
import { makeVerifySender } from '@posthorn/wire/verify-sender'
import { AddressCache } from './address-cache.ts'
import { postProbe, type ProbeOptions } from './probe.ts'
import { VerifyService, type Probe } from './verify-service.ts'

const memoryLifeSeconds = 20 * 86_400

export const verify: ServiceDefinition = {
  program: 'verify',
  kind: 'multi',
  requires: ['alone'],
  usesLimit: 'off',
  leastIdleSeconds: (config) => (config.text('address_verify_map') === '' ? memoryLifeSeconds : 0),
  beforeJail() {
    // `postfix stop` must not hit us while we write
    startSession()
  },
  start,
}

function start({ args, config }: ServiceContext): Service {
  if (args[0] !== undefined) fatal(`unexpected command-line argument: ${args[0]}`)
  const map = config.text('address_verify_map')
  const file = new CacheFile({ path: cachePath(map) })
  file.load()
  const cache = new AddressCache(file, {
    positiveExpireSeconds: config.seconds('address_verify_positive_expire_time'),
    positiveRefreshSeconds: config.seconds('address_verify_positive_refresh_time'),
    negativeExpireSeconds: config.seconds('address_verify_negative_expire_time'),
    negativeRefreshSeconds: config.seconds('address_verify_negative_refresh_time'),
    keepsNegative: config.boolean('address_verify_negative_cache'),
  })
  const cleaner = cleanUpRegularly(cache, map, config)
  const service = new VerifyService(cache, prober(config))
  return {
    serve: async (stream) => service.serve(stream),
    stop: async () => {
      clearTimeout(cleaner.timer)
      await file.close()
    },
  }
}

function prober(config: MainConfig): Probe {
  const timeoutMs = config.seconds('ipc_timeout') * 1000
  const sender = config.text('address_verify_sender')
  const ttlSeconds = config.seconds('address_verify_sender_ttl')
  const rewriter = new RewriteClient({
    path: `private/${config.text('rewrite_service_name')}`,
    timeoutMs,
  })
  const options: ProbeOptions = {
    cleanupPath: `public/${config.text('cleanup_service_name')}`,
    timeoutMs,
    hostname: config.text('myhostname'),
    mailName: config.text('mail_name'),
    autoUtf8: config
      .list('smtputf8_autodetect_classes')
      .some((name) => name === 'verify' || name === 'all'),
  }
  return async (address) => {
    const from = makeVerifySender(sender, ttlSeconds, Date.now())
    await postProbe(from === '' ? '' : await rewriter.rewrite('local', from), address, options)
  }
}

/** Cleans up when the last time is long enough ago, now or later, over and over. */
function cleanUpRegularly(
  cache: AddressCache,
  map: string,
  config: MainConfig,
): { timer: NodeJS.Timeout | undefined } {
  const intervalSeconds = config.seconds('address_verify_cache_cleanup_interval')
  const cleaner: { timer: NodeJS.Timeout | undefined } = { timer: undefined }
  if (map === '' || intervalSeconds === 0) return cleaner
  const wait = (): void => {
    const seconds = Math.max(0, intervalSeconds - cache.secondsSinceCleanUp())
    cleaner.timer = setTimeout(cleanUp, Math.min(seconds, memoryLifeSeconds) * 1000).unref()
  }
  const cleanUp = (): void => {
    cache
      .cleanUp()
      .then(({ retained, dropped }) => {
        log.info(`cache ${map} full cleanup: retained=${retained} dropped=${dropped} entries`)
        wait()
      })
      .catch((error: unknown) => {
        log.warning(`cache ${map} cleanup: ${errorReason(error)}`)
      })
  }
  wait()
  return cleaner
}
