/**
 * tlsrpt.test - the service as a whole: from a datagram to a message or a request; settings; what a reload leaves
 */
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { mkdirSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { ConfigError } from '@posthorn/config/config-error'
import { MainConfig } from '@posthorn/config/main-config'
import { createServiceContext } from '@posthorn/daemon/service-context'
import { captureLog } from '@posthorn/log/capture-log'
import { DatagramSocket } from '@posthorn/native/datagram'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { issueCertificate, rootPem } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import { encodeTlsrptDatagram } from '@posthorn/wire/tlsrpt-protocol'
import t from 'tap'
import { lockDirectory } from './directory-lock.ts'
import { PeriodResults } from './period-results.ts'
import { ReportSender } from './report-sender.ts'
import { SentJournal } from './sent-journal.ts'
import { noPolicy, session } from './test/sample-results.ts'
import { defineTlsrpt, makeDelivery } from './tlsrpt.ts'
import { readTlsrptSettings } from './tlsrpt-settings.ts'

const main = { myhostname: 'mx.example.test', mydomain: 'example.test', myorigin: 'example.test' }

t.test('readTlsrptSettings() has defaults for everything', (t) => {
  const settings = readTlsrptSettings(MainConfig.of({ ...main, data_directory: '/data' }))
  t.match(settings, {
    reporter: {
      organizationName: 'example.test',
      contactInfo: 'postmaster@example.test',
      sender: 'postmaster@example.test',
      submitter: 'example.test',
    },
    intervalSeconds: 86_400,
    delaySeconds: 4 * 3600,
    directory: '/data/tlsrpt',
  })
  for (const tlsrpt_report_from of ['a b', 'a b@example.test', 'a@', 'a@[192.0.2.1]']) {
    const config = MainConfig.of({ ...main, tlsrpt_report_from })
    t.throws(() => readTlsrptSettings(config), ConfigError, tlsrpt_report_from)
  }
  t.end()
})

t.test('a server that is out of order gets the report later', async (t) => {
  const log = captureLog()
  t.teardown(() => {
    log.restore()
  })
  const { key, cert } = issueCertificate({ names: ['reports.example.test'] })
  const statuses = [503, 201]
  const bodies: Buffer[] = []
  const server = createServer({ key, cert }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks))
      response.writeHead(statuses.shift() ?? 200).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as AddressInfo

  const directory = temporaryDirectory(t)
  const settings = readTlsrptSettings(MainConfig.of({ ...main, data_directory: directory }))
  const period = { startSeconds: 0, endSeconds: 86_400 }
  const clock = { ms: period.endSeconds * 1000 + settings.delaySeconds * 1000 }
  const sender = new ReportSender({
    settings,
    now: () => clock.ms,
    deliver: makeDelivery(settings, {
      findAddresses: async () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
      userAgent: 'test',
      authorities: rootPem(),
    }),
    changed: () => undefined,
  })
  const results = new PeriodResults()
  results.add(
    session(noPolicy, { record: `v=TLSRPTv1;rua=https://reports.example.test:${port}/x` }),
  )
  const journal = await SentJournal.load(`${directory}/sent`)
  await sender.add({ period, results, journal, path: `${directory}/results` })
  sender.run()
  await sender.settled()
  t.match(log.lines, [/status=deferred \(HTTP status 503 Service Unavailable\)$/])
  clock.ms = sender.nextMs
  sender.run()
  await sender.settled()
  t.match(log.lines[1], /status=sent \(HTTP status 201 Created\)$/)
  t.ok(sender.isIdle)
  const [first, second] = bodies.map((body) => gunzipSync(body).toString())
  t.equal(first, second)
  t.match(JSON.parse(first ?? ''), { policies: [{ summary: {} }] })
})

t.test('a process that leaves wakes up the next one, if there is something to do', async (t) => {
  const directory = temporaryDirectory(t)
  process.chdir(directory)
  mkdirSync('private')
  const woken: string[] = []
  const socket = DatagramSocket.bind('private/tlsrpt')
  socket.onMessage((octets) => woken.push(octets))
  t.teardown(() => {
    socket.close()
    process.chdir('/')
  })
  const config = MainConfig.of({ ...main, data_directory: directory })
  const context = createServiceContext(config, { serviceName: 'tlsrpt' })

  const idle = await defineTlsrpt().start(context)
  idle.datagram?.('W')
  await idle.stop?.()
  const busy = await defineTlsrpt().start(context)
  busy.datagram?.(encodeTlsrptDatagram(session(noPolicy)))
  await busy.stop?.()
  await waitFor(() => woken.length > 0)
  const heir = await defineTlsrpt().start(context)
  await heir.stop?.()
  await waitFor(() => woken.length > 1)
  t.same(woken, ['W', 'W'], 'once for each that had results')
})

t.test('lockDirectory() makes the directory, and lets one in at a time', async (t) => {
  const directory = `${temporaryDirectory(t)}/data/tlsrpt`
  const first = await lockDirectory(directory)
  await t.rejects(lockDirectory(directory, 20), { message: /^Cannot lock ".*": another process/ })
  const waiting = lockDirectory(directory)
  await first?.close()
  const second = await waiting
  t.ok(second)
  await second?.close()
  const log = captureLog()
  t.equal(await lockDirectory('/dev/null/tlsrpt'), undefined)
  log.restore()
  t.match(log.lines, ['warning: TLSRPT: /dev/null/tlsrpt: Not a directory'])
})
