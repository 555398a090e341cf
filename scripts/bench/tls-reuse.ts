/**
 * tls-reuse - 1,000 messages under TLS to one destination, whose connections are used again, or not
 *
 * The destination has a certificate with an RSA key of 2048 bits, which makes a handshake dear for it; what it costs the mail
 * system is in the CPU time. smtp_tls_connection_reuse = yes keeps connections in tlsproxy(8) and scache(8) in both systems;
 * auto, the default of Posthorn, keeps them in the SMTP client, and stands beside Postfix's yes.
 */
import { createSecureContext } from 'node:tls'
import { issueCertificate } from '@posthorn/testing/test-certificates'
import type { System } from '../instance.ts'
import { inPairs, type Bench, type BenchRow } from './bench-row.ts'
import { figureLine, type ResultLine } from './result-table.ts'
import { runToSink, showRun, type SinkRun } from './sink-run.ts'
import { median, type Runs } from './statistics.ts'

interface Variant {
  readonly title: string
  readonly reuse: Readonly<Record<System, string>>
}

const VARIANTS: readonly Variant[] = [
  { title: 'not used again', reuse: { postfix: 'no', posthorn: 'no' } },
  { title: 'used again', reuse: { postfix: 'yes', posthorn: 'yes' } },
  { title: 'used again (Posthorn: auto)', reuse: { postfix: 'yes', posthorn: 'auto' } },
]
/** Of --messages. */
const SHARE = 0.25

async function runOnce(bench: Bench, { reuse }: Variant, system: System): Promise<SinkRun> {
  const { key, cert } = issueCertificate({ key: 'rsa', issuer: 'self' })
  const options = { secureContext: createSecureContext({ key, cert, sessionIdContext: 'sink' }) }
  return bench.site.withSink(options, async (warmSink) =>
    bench.site.withSink(options, async (sink) => {
      const main = {
        transport_maps: `inline:{warm.test=smtp:[127.0.0.1]:${warmSink.port}}`,
        relayhost: `[127.0.0.1]:${sink.port}`,
        smtp_tls_security_level: 'encrypt',
        smtp_tls_connection_reuse: reuse[system],
      }
      return bench.site.withSystem(system, { main }, async (instance) => {
        const messages = Math.round(bench.messages * SHARE)
        const load = { messages, to: 'user@remote.test', warmUpTo: 'user@warm.test' }
        return runToSink(bench, instance, sink, load)
      })
    }),
  )
}

function handshakesLine(load: string, runs: Runs<SinkRun>): ResultLine {
  const of = (system: System): string => {
    const connections = median(runs[system].map((run) => run.connections))
    const handshakes = median(runs[system].map((run) => run.handshakes))
    return `${connections.toFixed(0)}, ${handshakes.toFixed(0)}`
  }
  return { load, postfix: of('postfix'), posthorn: of('posthorn') }
}

function linesOf({ title }: Variant, runs: Runs<SinkRun>): ResultLine[] {
  const load = `relay under TLS, ${title}`
  return [
    figureLine(runs, { load: `${load}: messages/s`, pick: (run) => run.messagesPerSecond }),
    figureLine(runs, {
      load: `${load}: CPU µs/message`,
      pick: (run) => run.cpuMicrosecondsPerMessage,
    }),
    handshakesLine(`${load}: connections, full handshakes`, runs),
  ]
}

export const tlsReuseRow: BenchRow = {
  name: 'tls-reuse',
  title: 'relay under TLS, connections used again or not',
  pairSeconds: 75,
  run: async (bench) => {
    const runs: Record<string, Runs<SinkRun>> = {}
    const lines: ResultLine[] = []
    for (const variant of VARIANTS) {
      bench.progress(`  ${variant.title}`)
      const given = await inPairs(
        bench,
        async (system) => runOnce(bench, variant, system),
        (run) => `${showRun(run)}; ${run.handshakes} handshakes, ${run.resumptions} resumed`,
      )
      runs[variant.title] = given
      lines.push(...linesOf(variant, given))
    }
    return { lines, runs }
  },
}
