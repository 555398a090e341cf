/**
 * tlsrpt - the reporting service: takes TLS results of delivery agents, and sends reports to the domains that ask for them
 */
import { Resolver } from '@posthorn/dns/resolver'
import type { ServiceDefinition } from '@posthorn/daemon/run-service'
import { DatagramSocket } from '@posthorn/native/datagram'
import { Collector } from './collector.ts'
import { lockDirectory } from './directory-lock.ts'
import type { DeliveryOutcome } from './delivery-outcome.ts'
import { mailReport } from './mail-report.ts'
import { findPublicAddresses } from './public-addresses.ts'
import { compress, type Report } from './report.ts'
import { ReportSender } from './report-sender.ts'
import type { ReportTarget } from './report-targets.ts'
import { readTlsrptSettings, type TlsrptSettings } from './tlsrpt-settings.ts'
import { uploadReport, type Uploader } from './upload-report.ts'

/** What is no result, and starts a process: master(8) cannot wake up a datagram service. */
const WAKE_UP = 'W'

/** Both ways to a receiver. Never rejects. */
export function makeDelivery(
  settings: TlsrptSettings,
  uploader: Uploader,
): (report: Report, target: ReportTarget, signal: AbortSignal) => Promise<DeliveryOutcome> {
  const { reporter, cleanup } = settings
  return async (report, target, signal) => {
    const octets = await compress(report.json)
    if (target.kind === 'upload') return uploadReport(uploader, target.url, octets, signal)
    const message = { reporter, report, octets, recipient: target.address, dateMs: Date.now() }
    return mailReport({ ...cleanup, signal }, message)
  }
}

function makeUploader({ nameservers, reporter }: TlsrptSettings): Uploader {
  const resolver = Resolver.fromConfig({ nameservers })
  return {
    findAddresses: async (host) => findPublicAddresses(resolver, host),
    userAgent: `${reporter.mailName} TLSRPT`,
  }
}

/** The process that comes after this one looks at what is left; without it reports would wait for the next result. */
function wakeSuccessor(serviceName: string): void {
  for (const folder of ['private', 'public']) {
    try {
      const socket = DatagramSocket.connect(`${folder}/${serviceName}`)
      socket.send(WAKE_UP)
      socket.close()
      return
    } catch {
      // the other folder, or nobody: master(8) has gone, too
    }
  }
}

export function defineTlsrpt(): ServiceDefinition {
  return {
    program: 'tlsrpt',
    kind: 'datagram',
    requires: ['alone'],
    usesLimit: 'off',
    idleLimit: 'off',
    async start({ config, serviceName }) {
      const settings = readTlsrptSettings(config)
      const { directory, intervalSeconds } = settings
      const lock = await lockDirectory(directory)
      const now = (): number => Date.now()
      const collector = new Collector({ directory, intervalSeconds, now })
      const sender = new ReportSender({
        ...{ settings, now },
        deliver: makeDelivery(settings, makeUploader(settings)),
        changed: () => {
          collector.wake()
        },
      })
      await collector.start(sender)
      return {
        datagram: (octets) => {
          if (octets.replace('\0', '') !== WAKE_UP) collector.add(octets)
        },
        stop: async () => {
          await collector.stop()
          await lock?.close()
          if (collector.isWaiting) wakeSuccessor(serviceName)
        },
      }
    },
  }
}
